{#- {column, op, value} as a SQL condition. -#}
{% macro sx_predicate(predicate) %}
    {%- set column = sx_id(predicate['column']) -%}
    {%- set op = predicate['op'] -%}
    {%- set value = predicate.get('value') -%}
    {%- if op == 'is_null' -%}
        {%- do return(column ~ ' is null') -%}
    {%- elif op == 'is_not_null' -%}
        {%- do return(column ~ ' is not null') -%}
    {%- elif op == 'in' -%}
        {%- do return(column ~ ' in (' ~ sx_lits(value) ~ ')') -%}
    {%- elif op == 'between' -%}
        {%- do return(column ~ ' between ' ~ sx_lit(value[0]) ~ ' and ' ~ sx_lit(value[1])) -%}
    {%- elif op in ('=', '!=', '<', '<=', '>', '>=') -%}
        {%- do return(column ~ ' ' ~ op ~ ' ' ~ sx_lit(value)) -%}
    {%- endif -%}
    {%- do exceptions.raise_compiler_error('unknown operator of a predicate: ' ~ op) -%}
{% endmacro %}
