{#- A query that finds the rows that fail. `checked` in it are the rows that the rule looks at. At most
    `max_rows` are counted. -#}
{% test failed_rows_sql(model, query=none, max_rows=100000) %}
{%- set rule = sx_rule(model, none, {'query': query, 'max_rows': max_rows}) %}
with checked as (
    select *
    from {{ rule['subject'] }}
)
select *
from (
    {{ rule['arguments']['query'] }}
) failed_rows
limit {{ sx_lit(rule['arguments']['max_rows']) }}
{% endtest %}
