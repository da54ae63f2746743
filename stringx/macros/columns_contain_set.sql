{#- The table has the listed columns, and maybe others. One row for each that is missing. -#}
{% test columns_contain_set(model, columns=[]) %}
{%- set rule = sx_rule(model, none, {'columns': columns}) %}
select listed.name as missing_column
from {{ sx_listed_names(rule['arguments']['columns']) }}
left join {{ sx_table_columns(rule) }} on table_columns.name = listed.name
where table_columns.name is null
{% endtest %}
