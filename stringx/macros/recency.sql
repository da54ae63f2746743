{#- The newest value is at most `interval` dateparts old. One row where it is older, or where there
    is none. With `ignore_time_component` days are compared. -#}
{% test recency(
    model, column_name=none, datepart=none, interval=none, ignore_time_component=false
) %}
{%- set rule = sx_rule(model, column_name, {
    'datepart': datepart,
    'interval': interval,
    'ignore_time_component': ignore_time_component,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set age = sx_interval(arguments['datepart'], arguments['interval']) %}
select newest
from (
    select max({{ rule['column'] }}) as newest
    from {{ rule['subject'] }}
) latest
where newest is null
{%- if arguments['ignore_time_component'] %}
    or newest::date < (current_timestamp - {{ age }})::date
{%- else %}
    or newest < current_timestamp - {{ age }}
{%- endif %}
{% endtest %}
