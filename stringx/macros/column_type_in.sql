{#- The column is of one of the types. One row where it is not, or where there is no such column. -#}
{% test column_type_in(model, column_name=none, types=[]) %}
{%- set rule = sx_rule(model, column_name, {'types': types}) %}
{{ sx_column_not_of_types(rule, rule['arguments']['types']) }}
{% endtest %}
