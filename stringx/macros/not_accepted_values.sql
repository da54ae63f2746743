{#- None of the listed values. One row for each listed value that is found. -#}
{% test not_accepted_values(model, column_name=none, values=[], quote=true) %}
{%- set rule = sx_rule(model, column_name, {'values': values}) %}
select
    {{ rule['column'] }} as value_field,
    count(*) as n_records
from {{ rule['subject'] }}
where {{ rule['column'] }} in ({{ sx_value_list(rule, quote) }})
group by {{ rule['column'] }}
{% endtest %}
