{#- The age of the newest value, in seconds, against what it was. Only measures; StringX compares. -#}
{% test freshness_anomaly(
    model, column_name=none, bucket='day', training_days=none, min_history=7, sensitivity=3,
    direction='up', method='zscore', seasonality='none', min_change_pct=0
) %}
{%- set rule = sx_rule(model, column_name, {}) %}
{%- do sx_needs_history(rule, 'freshness_anomaly', 'recency') %}
{%- set column = rule['column'] %}
select *
from (
    select
        max({{ column }}) as newest,
        min(
            case
                when isfinite({{ column }})
                    then extract(epoch from current_timestamp - {{ column }})
            end
        ) as age_s
    from {{ rule['subject'] }}
) measures
where true
{% endtest %}
