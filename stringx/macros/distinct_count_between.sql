{#- The column has `min_value` to `max_value` distinct values. One row where it has not. -#}
{% test distinct_count_between(model, column_name=none, min_value=none, max_value=none) %}
{%- set rule = sx_rule(model, column_name, {'min_value': min_value, 'max_value': max_value}) %}
select n_distinct
from (
    select count(distinct {{ rule['column'] }}) as n_distinct
    from {{ rule['subject'] }}
) counts
where {{ sx_outside(
    'n_distinct', rule['arguments']['min_value'], rule['arguments']['max_value']
) }}
{% endtest %}
