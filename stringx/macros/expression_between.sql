{#- An aggregate of the table lies between `min_value` and `max_value`. One row where it does not. -#}
{% test expression_between(
    model, expression=none, min_value=none, max_value=none, inclusive=true
) %}
{%- set rule = sx_rule(model, none, {
    'expression': expression,
    'min_value': min_value,
    'max_value': max_value,
    'inclusive': inclusive,
}) %}
{%- set arguments = rule['arguments'] %}
select measured
from (
    select {{ arguments['expression'] }} as measured
    from {{ rule['subject'] }}
) aggregates
where {{ sx_outside(
    'measured', arguments['min_value'], arguments['max_value'], arguments['inclusive']
) }}
{% endtest %}
