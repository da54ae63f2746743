{#- The newest value is at most `interval` dateparts old. One row where it is older, or where there
    is none. -#}
{% test recency(model, column_name=none, datepart=none, interval=none) %}
{%- set rule = sx_rule(model, column_name, {'datepart': datepart, 'interval': interval}) %}
{%- set arguments = rule['arguments'] %}
{%- if execute and arguments['datepart'] not in (
    'minute', 'hour', 'day', 'week', 'month', 'year'
) %}
    {%- do exceptions.raise_compiler_error('recency: unknown datepart ' ~ arguments['datepart']) %}
{%- endif %}
select newest
from (
    select max({{ rule['column'] }}) as newest
    from {{ rule['subject'] }}
) latest
where newest is null
    or newest < current_timestamp
        - {{ sx_lit(arguments['interval']) }} * interval '1 {{ arguments['datepart'] }}'
{% endtest %}
