{#- The table has exactly the listed columns, in that order. One row for each place where it has
    another. -#}
{% test columns_match_ordered_list(model, columns=[]) %}
{%- set rule = sx_rule(model, none, {'columns': columns}) %}
select listed.name as listed_column, table_columns.name as other_column
from {{ sx_listed_names(rule['arguments']['columns']) }}
full join {{ sx_table_columns(rule) }} on table_columns.place = listed.place
where listed.name is distinct from table_columns.name
{% endtest %}
