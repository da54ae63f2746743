{#- The columns of the relation that a rule is about, as something that can stand after FROM: name,
    place (from 1), type, type_id. A relation that is not there is an error. -#}
{% macro sx_table_columns(rule) %}
    {%- do return(
        '(select attname::text as name, row_number() over (order by attnum) as place,'
        ~ ' atttypid as type_id, format_type(atttypid, atttypmod) as type'
        ~ ' from pg_catalog.pg_attribute where attrelid = ' ~ sx_lit(rule['relation'] | string)
        ~ '::regclass and attnum > 0 and not attisdropped) table_columns'
    ) -%}
{% endmacro %}

{#- The name of the rule's column as a SQL text. -#}
{% macro sx_column_name(rule) %}
    {%- set column = rule['column'] | string -%}
    {%- if column.startswith('"') -%}
        {%- set column = column[1:-1].replace('""', '"') -%}
    {%- endif -%}
    {%- do return(sx_lit(column)) -%}
{% endmacro %}

{#- Listed names with their places (from 1), as something that can stand after FROM. -#}
{% macro sx_listed_names(names) %}
    {%- do return(
        'unnest(array[' ~ sx_lits(names) ~ ']::text[]) with ordinality listed (name, place)'
    ) -%}
{% endmacro %}
