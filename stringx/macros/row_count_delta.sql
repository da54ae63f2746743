{#- The number of rows against an earlier one. Only measures; StringX compares. -#}
{% test row_count_delta(
    model, timestamp_column=none, bucket='check', warn_pct=none, error_pct=none, direction='both',
    days_back=0, min_row_count=1
) %}
{%- set rule = sx_rule(model, none, {'timestamp_column': timestamp_column, 'bucket': bucket}) %}
{%- do sx_needs_history(rule, 'row_count_delta', 'row_count_between') %}
select *
from (
    select {{ sx_row_count(rule) }} as row_count
    from {{ rule['subject'] }}
) measures
where true
{% endtest %}
