{#- What the monitors measure of the column against what it was. Only measures; StringX compares. -#}
{% test column_anomaly(
    model, column_name=none, monitors=[], bucket='day', training_days=none, min_history=7,
    sensitivity=3, direction='both', method='zscore', seasonality='none', min_change_pct=0
) %}
{%- set rule = sx_rule(model, column_name, {'monitors': monitors}) %}
{%- do sx_needs_history(rule, 'column_anomaly', 'not_null_proportion or accepted_range') %}
{%- set column = rule['column'] %}
{%- set measures = {
    'distinct_share': 'count(distinct ' ~ column ~ ') as n_distinct',
    'zero_share': 'count(case when ' ~ column ~ ' = 0 then 1 end) as n_zeros',
    'min': 'min(' ~ column ~ ') as min',
    'max': 'max(' ~ column ~ ') as max',
    'avg': 'avg(' ~ column ~ ') as avg',
    'stdev': 'stddev_samp(' ~ column ~ ') as stdev',
    'average_length': 'avg(char_length(' ~ column ~ '::text)) as average_length',
} %}
select *
from (
    select
        count(*) as n_rows,
        count({{ column }}) as n_values
        {%- for monitor in rule['arguments']['monitors'] if monitor in measures %},
        {{ measures[monitor] }}
        {%- endfor %}
    from {{ rule['subject'] }}
) measures
where true
{% endtest %}
