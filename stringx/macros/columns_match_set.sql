{#- The table has exactly the listed columns, in any order. One row for each that is missing, and for
    each that is not listed. -#}
{% test columns_match_set(model, columns=[]) %}
{%- set rule = sx_rule(model, none, {'columns': columns}) %}
select listed.name as missing_column, table_columns.name as other_column
from {{ sx_listed_names(rule['arguments']['columns']) }}
full join {{ sx_table_columns(rule) }} on table_columns.name = listed.name
where listed.name is null or table_columns.name is null
{% endtest %}
