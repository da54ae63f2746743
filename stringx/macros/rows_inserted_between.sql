{#- From `min_value` to `max_value` rows bear a time within the last `interval` dateparts. One row
    where it is another number. -#}
{% test rows_inserted_between(
    model, column_name=none, datepart=none, interval=none, min_value=none, max_value=none
) %}
{%- set rule = sx_rule(model, column_name, {
    'datepart': datepart, 'interval': interval, 'min_value': min_value, 'max_value': max_value
}) %}
{%- set arguments = rule['arguments'] %}
{%- set span = sx_interval(arguments['datepart'], arguments['interval']) %}
select n_rows
from (
    select
        count(case
            when {{ rule['column'] }} >= current_timestamp - {{ span }}
                and {{ rule['column'] }} <= current_timestamp
            then 1
        end) as n_rows
    from {{ rule['subject'] }}
) counts
where {{ sx_outside('n_rows', arguments['min_value'], arguments['max_value']) }}
{% endtest %}
