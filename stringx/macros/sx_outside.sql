{#- The condition that a SQL value is below `low` or above `high`, either of which may be absent.
    NULL is neither. -#}
{% macro sx_outside(expression, low, high, inclusive=true) %}
    {%- set conditions = [] -%}
    {%- if low is not none -%}
        {%- do conditions.append(expression ~ (' < ' if inclusive else ' <= ') ~ sx_lit(low)) -%}
    {%- endif -%}
    {%- if high is not none -%}
        {%- do conditions.append(expression ~ (' > ' if inclusive else ' >= ') ~ sx_lit(high)) -%}
    {%- endif -%}
    {%- if execute and not conditions -%}
        {%- do exceptions.raise_compiler_error('needs min_value, max_value or both') -%}
    {%- endif -%}
    {%- do return('(' ~ conditions | join(' or ') ~ ')') -%}
{% endmacro %}
