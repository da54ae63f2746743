{#- Each value is at most `sigma_threshold` standard deviations (of the sample) from the mean. With
    `sum_by` the sums of the groups of these columns are the values. -#}
{% test within_n_stdevs(model, column_name=none, sigma_threshold=3, sum_by=[]) %}
{%- set rule = sx_rule(
    model, column_name, {'sigma_threshold': sigma_threshold, 'sum_by': sum_by}
) %}
{%- set arguments = rule['arguments'] %}
{%- set keys = sx_column_list(rule, arguments['sum_by']) %}
select value
from (
    select value, avg(value) over () as mean, stddev_samp(value) over () as deviation
    from (
{%- if keys %}
        select sum({{ rule['column'] }}) as value
        from {{ rule['subject'] }}
        group by {{ keys }}
{%- else %}
        select {{ rule['column'] }} as value
        from {{ rule['subject'] }}
{%- endif %}
    ) given
) compared
where abs((value - mean) / nullif(deviation, 0)) > {{ sx_lit(arguments['sigma_threshold']) }}
{% endtest %}
