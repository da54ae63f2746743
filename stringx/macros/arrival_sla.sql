{#- By `sla_time` of each day (in `timezone`) there is a value of that day, or a later one. One row
    where the time has come and there is none. -#}
{% test arrival_sla(
    model, column_name=none, sla_time=none, timezone='UTC', days_of_week=[], days_of_month=[]
) %}
{%- set rule = sx_rule(model, column_name, {
    'sla_time': sla_time,
    'timezone': timezone,
    'days_of_week': days_of_week,
    'days_of_month': days_of_month,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set zone = sx_lit(arguments['timezone']) %}
{%- set local = '(current_timestamp at time zone ' ~ zone ~ ')' %}
{%- set today = "(date_trunc('day', " ~ local ~ ') at time zone ' ~ zone ~ ')' %}
select newest
from (
    select max({{ rule['column'] }}) as newest
    from {{ rule['subject'] }}
) latest
where to_char({{ local }}, 'HH24:MI') >= {{ sx_lit(arguments['sla_time']) }}
{%- if arguments['days_of_week'] %}
    and to_char({{ local }}, 'ID') in ({{ sx_lits(arguments['days_of_week'] | map('string')) }})
{%- endif %}
{%- if arguments['days_of_month'] %}
    and to_char({{ local }}, 'FMDD') in ({{ sx_lits(arguments['days_of_month'] | map('string')) }})
{%- endif %}
    and (newest is null or newest < {{ today }})
{% endtest %}
