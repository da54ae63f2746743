{#- The seconds from an event to its loading lie between `min_value` and `max_value`: the longest of
    all rows, or a percentile (0 to 1) of them. One row where they do not. -#}
{% test event_lag_between(
    model, column_name=none, load_column=none, min_value=none, max_value=none, percentile=1
) %}
{%- set rule = sx_rule(model, column_name, {
    'load_column': load_column,
    'min_value': min_value,
    'max_value': max_value,
    'percentile': percentile,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set lag = 'extract(epoch from ' ~ sx_column(rule, arguments['load_column'])
    ~ '::timestamptz) - extract(epoch from ' ~ rule['column'] ~ '::timestamptz)' %}
{%- set measure = 'max(' ~ lag ~ ')' %}
{%- if arguments['percentile'] < 1 %}
    {%- set measure = 'percentile_cont(' ~ sx_lit(arguments['percentile'])
        ~ ') within group (order by ' ~ lag ~ ')' %}
{%- endif %}
select seconds
from (
    select {{ measure }} as seconds
    from {{ rule['subject'] }}
) lags
where {{ sx_outside('seconds', arguments['min_value'], arguments['max_value']) }}
{% endtest %}
