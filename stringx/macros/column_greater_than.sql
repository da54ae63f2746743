{#- The column is greater than the other one, or equal where `or_equal` says so. -#}
{% test column_greater_than(model, column_name=none, other_column=none, or_equal=false) %}
{%- set rule = sx_rule(
    model, column_name, {'other_column': other_column, 'or_equal': or_equal}
) %}
{%- set other = sx_column(rule, rule['arguments']['other_column']) %}
select {{ rule['column'] }}, {{ other }}
from {{ rule['subject'] }}
where not ({{ rule['column'] }} {{ '>=' if rule['arguments']['or_equal'] else '>' }} {{ other }})
{% endtest %}
