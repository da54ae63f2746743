{#- The column is of the type, by any name that PostgreSQL has for it; a length or precision counts
    where it is given. One row where it is not, or where there is no such column. -#}
{% test column_type(model, column_name=none, type=none) %}
{%- set rule = sx_rule(model, column_name, {'type': type}) %}
{{ sx_column_not_of_types(rule, [rule['arguments']['type']]) }}
{% endtest %}

{#- A query with one row where the rule's column is of none of the types. -#}
{% macro sx_column_not_of_types(rule, types) %}
    {%- set conditions = [] -%}
    {%- for type in types or [] -%}
        {%- set written = sx_lit(type) -%}
        {%- set condition = 'type_id = to_regtype(' ~ written ~ ')' -%}
        {%- if '(' in type | string -%}
            {#- `varchar(10)` is written in full, as format_type does it, or by its short name. -#}
            {%- set details = sx_lit('(' ~ (type | string).split('(', 1)[1]) -%}
            {%- set condition = condition
                ~ " and replace(type, ' ', '') in (replace(" ~ written
                ~ ", ' ', ''), replace(format_type(type_id, null) || " ~ details ~ ", ' ', ''))" -%}
        {%- endif -%}
        {%- do conditions.append('(' ~ condition ~ ')') -%}
    {%- endfor %}
select {{ sx_column_name(rule) }} as column_of_another_type
where not exists (
    select from {{ sx_table_columns(rule) }}
    where name = {{ sx_column_name(rule) }}
        and ({{ conditions | join(' or ') or 'false' }})
)
{% endmacro %}
