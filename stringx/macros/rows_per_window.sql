{#- Each window of `window_minutes` has `min_records` rows at least: those of the last `lookback_windows`
    that are over, or else those from the oldest value to the newest, whose own window is not over.
    One row for each window with fewer. -#}
{% test rows_per_window(
    model, column_name=none, window_minutes=none, min_records=1, lookback_windows=none
) %}
{%- set rule = sx_rule(model, column_name, {
    'window_minutes': window_minutes,
    'min_records': min_records,
    'lookback_windows': lookback_windows,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set width = sx_interval('minute', arguments['window_minutes']) %}
{%- set start = "timestamptz '2000-01-03 00:00:00+00'" %}
with counted as (
    select
        date_bin({{ width }}, {{ rule['column'] }}::timestamptz, {{ start }}) as window_start,
        count(*) as n_records
    from {{ rule['subject'] }}
    where isfinite({{ rule['column'] }})
    group by 1
),
expected as (
    select generate_series(first_window, last_window, {{ width }}) as window_start
    from (
{%- if arguments['lookback_windows'] is none %}
        select min(window_start) as first_window, max(window_start) - {{ width }} as last_window
        from counted
{%- else %}
        select
            date_bin({{ width }}, current_timestamp, {{ start }})
                - {{ sx_lit(arguments['lookback_windows']) }} * ({{ width }}) as first_window,
            date_bin({{ width }}, current_timestamp, {{ start }}) - {{ width }} as last_window
{%- endif %}
    ) windows
)
select expected.window_start, coalesce(counted.n_records, 0) as n_records
from expected
left join counted on counted.window_start = expected.window_start
where coalesce(counted.n_records, 0) < {{ sx_lit(arguments['min_records']) }}
{% endtest %}
