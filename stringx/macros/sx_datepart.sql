{#- A number of dateparts as an interval: `2 * interval '1 day'`. -#}
{% macro sx_interval(datepart, interval) %}
    {%- if execute and datepart not in ('second', 'minute', 'hour', 'day', 'week', 'month', 'year') -%}
        {%- do exceptions.raise_compiler_error('unknown datepart: ' ~ datepart) -%}
    {%- endif -%}
    {%- do return(sx_lit(interval) ~ " * interval '1 " ~ datepart ~ "'") -%}
{% endmacro %}
