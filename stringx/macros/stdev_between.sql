{#- The sample standard deviation of the values lies between `min_value` and `max_value`; both are included unless `inclusive` is
    false. One row where it does not; without values the rule passes. -#}
{% test stdev_between(model, column_name=none, min_value=none, max_value=none, inclusive=true) %}
{%- set rule = sx_rule(
    model,
    column_name,
    {'min_value': min_value, 'max_value': max_value, 'inclusive': inclusive}
) %}
{%- set arguments = rule['arguments'] %}
select deviation
from (
    select stddev_samp({{ rule['column'] }}) as deviation
    from {{ rule['subject'] }}
) measured
where {{ sx_outside(
    'deviation', arguments['min_value'], arguments['max_value'], arguments['inclusive']
) }}
{% endtest %}
