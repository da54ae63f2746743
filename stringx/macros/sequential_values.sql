{#- In their own order the values follow each other at `interval`, a number or, with `datepart`, so
    many of these. -#}
{% test sequential_values(model, column_name=none, interval=1, datepart=none, partition_by=[]) %}
{%- set rule = sx_rule(model, column_name, {
    'interval': interval, 'datepart': datepart, 'partition_by': partition_by
}) %}
{%- set arguments = rule['arguments'] %}
{%- set step = sx_lit(arguments['interval']) %}
{%- if arguments['datepart'] is not none %}
    {%- set step = sx_interval(arguments['datepart'], arguments['interval']) %}
{%- endif %}
select value, previous
from (
    select
        {{ rule['column'] }} as value,
        lag({{ rule['column'] }}) over (
            {{ sx_partition(rule, arguments['partition_by']) }}order by {{ rule['column'] }}
        ) as previous
    from {{ rule['subject'] }}
) ordered
where not (value = previous + {{ step }})
{% endtest %}
