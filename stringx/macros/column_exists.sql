{#- The table has the column, as its column number `index` if that is given. One row where it has
    not. -#}
{% test column_exists(model, column_name=none, index=none) %}
{%- set rule = sx_rule(model, column_name, {'index': index}) %}
{%- set index = rule['arguments']['index'] %}
select {{ sx_column_name(rule) }} as missing_column
where not exists (
    select from {{ sx_table_columns(rule) }}
    where name = {{ sx_column_name(rule) }}{% if index is not none %} and place = {{ sx_lit(index) }}{% endif %}
)
{% endtest %}
