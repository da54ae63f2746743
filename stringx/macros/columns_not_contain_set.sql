{#- The table has none of the listed columns. One row for each that it has. -#}
{% test columns_not_contain_set(model, columns=[]) %}
{%- set rule = sx_rule(model, none, {'columns': columns}) %}
select listed.name as forbidden_column
from {{ sx_listed_names(rule['arguments']['columns']) }}
join {{ sx_table_columns(rule) }} on table_columns.name = listed.name
{% endtest %}
