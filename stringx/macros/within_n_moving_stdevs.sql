{#- The column is summed for each period; each sum of the last `test_periods` complete ones is at
    most `sigma_threshold` standard deviations from the mean of the `trend_periods` before it, its own
    left out. With `take_logs` natural logarithms are compared, with `take_diffs` the change since
    `lookback_periods` earlier. A sum that has nothing to be compared with does not fail: one with
    fewer than `trend_periods` changes before it, for a few of them show no deviation to rely on. -#}
{% test within_n_moving_stdevs(
    model,
    column_name=none,
    date_column=none,
    period='day',
    lookback_periods=1,
    trend_periods=7,
    test_periods=14,
    sigma_threshold=3,
    take_logs=true,
    take_diffs=true
) %}
{%- set rule = sx_rule(model, column_name, {
    'date_column': date_column,
    'period': period,
    'lookback_periods': lookback_periods,
    'trend_periods': trend_periods,
    'test_periods': test_periods,
    'sigma_threshold': sigma_threshold,
    'take_logs': take_logs,
    'take_diffs': take_diffs,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set value = 'coalesce(%s, 0)' %}
{%- if arguments['take_logs'] %}
    {%- set value = 'coalesce(ln(nullif(%s, 0)), 0)' %}
{%- endif %}
{%- set window = '(order by period_start rows between '
    ~ sx_lit(arguments['trend_periods']) ~ ' preceding and 1 preceding)' %}
{%- set this_period = "date_trunc(" ~ sx_lit(arguments['period']) ~ ", current_timestamp)" %}
select period_start, measured, mean, deviation
from (
    select
        period_start,
        measured,
        avg(measured) over {{ window }} as mean,
        stddev_samp(measured) over {{ window }} as deviation,
        count(measured) over {{ window }} as n_before
    from (
        select
            period_start,
            {{ value | replace('%s', 'total') }}
{%- if arguments['take_diffs'] %} - lag({{ value | replace('%s', 'total') }}, {{
    sx_lit(arguments['lookback_periods'])
}}) over (order by period_start)
{%- endif %} as measured
        from (
            select
                date_trunc({{ sx_lit(arguments['period']) }}, {{
                    sx_column(rule, arguments['date_column'])
                }}) as period_start,
                sum({{ rule['column'] }}) as total
            from {{ rule['subject'] }}
            group by 1
        ) totals
    ) changes
) compared
where period_start >= {{ this_period }} - {{
    sx_interval(arguments['period'], arguments['test_periods'])
}}
    and period_start < {{ this_period }}
{%- if arguments['take_diffs'] %}
    and n_before = {{ sx_lit(arguments['trend_periods']) }}
{%- endif %}
    and abs((measured - mean) / nullif(deviation, 0)) > {{ sx_lit(arguments['sigma_threshold']) }}
{% endtest %}
