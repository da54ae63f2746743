{#- The `quantile` (0 to 1) of the values lies between `min_value` and `max_value`; both are included
    unless `inclusive` is false. One row where it does not; without values the rule passes. -#}
{% test quantile_between(
    model, column_name=none, quantile=none, min_value=none, max_value=none, inclusive=true
) %}
{%- set rule = sx_rule(model, column_name, {
    'quantile': quantile, 'min_value': min_value, 'max_value': max_value, 'inclusive': inclusive
}) %}
{%- set arguments = rule['arguments'] %}
select quantile
from (
    select percentile_cont({{ sx_lit(arguments['quantile']) }})
        within group (order by {{ rule['column'] }}) as quantile
    from {{ rule['subject'] }}
) measured
where {{ sx_outside(
    'quantile', arguments['min_value'], arguments['max_value'], arguments['inclusive']
) }}
{% endtest %}
