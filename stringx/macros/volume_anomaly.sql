{#- The number of rows against what it was. Only measures; StringX compares. -#}
{% test volume_anomaly(
    model, timestamp_column=none, bucket='day', training_days=none, min_history=7, sensitivity=3,
    direction='both', method='zscore', seasonality='none', min_change_pct=0
) %}
{%- set rule = sx_rule(model, none, {'timestamp_column': timestamp_column, 'bucket': bucket}) %}
{%- do sx_needs_history(rule, 'volume_anomaly', 'row_count_between') %}
select *
from (
    select {{ sx_row_count(rule) }} as row_count
    from {{ rule['subject'] }}
) measures
where true
{% endtest %}
