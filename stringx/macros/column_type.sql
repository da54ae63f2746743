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
            {#- In PostgreSQL's own spelling they may stand within: timestamp(3) with time zone. -#}
            {%- set details = (type | string).split('(', 1)[1].split(')', 1)[0].replace(' ', '') -%}
            {#- numeric(10) is numeric(10,0). -#}
            {%- set spellings = [details, details ~ ',0'] if ',' not in details else [details] -%}
            {%- set condition = condition
                ~ " and replace(substring(type from '[(](.*?)[)]'), ' ', '') in ("
                ~ sx_lits(spellings) ~ ')' -%}
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
