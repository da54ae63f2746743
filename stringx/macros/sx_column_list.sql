{#- Columns of the arguments as SQL, separated by commas. -#}
{% macro sx_column_list(rule, names, prefix='') %}
    {%- set columns = [] -%}
    {%- for name in names or [] -%}
        {%- do columns.append(prefix ~ sx_column(rule, name)) -%}
    {%- endfor -%}
    {%- do return(columns | join(', ')) -%}
{% endmacro %}

{#- `partition by …` for a window; empty without columns. -#}
{% macro sx_partition(rule, names) %}
    {%- do return('partition by ' ~ sx_column_list(rule, names) ~ ' ' if names else '') -%}
{% endmacro %}
