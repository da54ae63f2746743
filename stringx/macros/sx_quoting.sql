{#- A value as a SQL literal, typed by its own type: numbers and booleans bare, text quoted and left
    to PostgreSQL to cast. A text with a backslash takes the E'' form, which means the same whatever
    standard_conforming_strings is. -#}
{% macro sx_lit(value) %}
    {%- if value is none -%}
        {%- do return('null') -%}
    {%- elif value is boolean -%}
        {%- do return('true' if value else 'false') -%}
    {%- elif value is number -%}
        {%- do return(value | string) -%}
    {%- endif -%}
    {%- set text = (value | string).replace("'", "''") -%}
    {%- if '\\' in text -%}
        {%- do return("E'" ~ text.replace('\\', '\\\\') ~ "'") -%}
    {%- endif -%}
    {%- do return("'" ~ text ~ "'") -%}
{% endmacro %}

{#- Several literals, separated by commas. -#}
{% macro sx_lits(values) %}
    {%- set literals = [] -%}
    {%- for value in values or [] -%}
        {%- do literals.append(sx_lit(value)) -%}
    {%- endfor -%}
    {%- do return(literals | join(', ')) -%}
{% endmacro %}

{#- A name exactly as the database's catalogue spells it. -#}
{% macro sx_id(name) %}
    {%- do return('"' ~ (name | string).replace('"', '""') ~ '"') -%}
{% endmacro %}
