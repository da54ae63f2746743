{#- The table has `min_value` to `max_value` columns. One row where it has not. -#}
{% test column_count_between(model, min_value=none, max_value=none) %}
{%- set rule = sx_rule(model, none, {'min_value': min_value, 'max_value': max_value}) %}
select n_columns
from (select count(*) as n_columns from {{ sx_table_columns(rule) }}) counts
where {{ sx_outside('n_columns', rule['arguments']['min_value'], rule['arguments']['max_value']) }}
{% endtest %}
