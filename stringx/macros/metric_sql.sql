{#- A query that measures one number lies between `min_value` and `max_value` (`negate`: it does not).
    `checked` in it are the rows that the rule looks at. One row where it does not hold, or where
    nothing was measured. -#}
{% test metric_sql(
    model, query=none, min_value=none, max_value=none, inclusive=true, negate=false
) %}
{%- set rule = sx_rule(model, none, {
    'query': query,
    'min_value': min_value,
    'max_value': max_value,
    'inclusive': inclusive,
    'negate': negate,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set outside = sx_outside(
    'measured', arguments['min_value'], arguments['max_value'], arguments['inclusive']
) %}
with checked as (
    select *
    from {{ rule['subject'] }}
)
select measured
from (
    select (
        {{ arguments['query'] }}
    ) as measured
) metric
where measured is null
    or {{ 'not ' if arguments['negate'] else '' }}{{ outside }}
{% endtest %}
