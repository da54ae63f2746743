{#- A regular expression with PostgreSQL's embedded options (`i`: letters of either case) as SQL. -#}
{% macro sx_regex(regex, flags=none) %}
    {%- do return(sx_lit('(?' ~ flags ~ ')' ~ regex if flags else regex)) -%}
{% endmacro %}

{#- The condition that a column matches any of the patterns, or all of them, with an operator. -#}
{% macro sx_matches(column, operator, patterns, match_on, flags=none) %}
    {%- set conditions = [] -%}
    {%- for pattern in patterns or [] -%}
        {%- do conditions.append(column ~ ' ' ~ operator ~ ' ' ~ sx_regex(pattern, flags)) -%}
    {%- endfor -%}
    {%- do return('(' ~ conditions | join(' or ' if match_on == 'any' else ' and ') ~ ')') -%}
{% endmacro %}
