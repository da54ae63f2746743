{#- The median of the values lies between `min_value` and `max_value`; both are included unless `inclusive` is
    false. One row where it does not; without values the rule passes. -#}
{% test median_between(model, column_name=none, min_value=none, max_value=none, inclusive=true) %}
{%- set rule = sx_rule(
    model,
    column_name,
    {'min_value': min_value, 'max_value': max_value, 'inclusive': inclusive}
) %}
{%- set arguments = rule['arguments'] %}
select median
from (
    select percentile_cont(0.5) within group (order by {{ rule['column'] }}) as median
    from {{ rule['subject'] }}
) measured
where {{ sx_outside(
    'median', arguments['min_value'], arguments['max_value'], arguments['inclusive']
) }}
{% endtest %}
