{#- Values from `min_value` to `max_value`; both are included unless `inclusive` is false. -#}
{% test accepted_range(model, column_name=none, min_value=none, max_value=none, inclusive=true) %}
{%- set rule = sx_rule(
    model,
    column_name,
    {'min_value': min_value, 'max_value': max_value, 'inclusive': inclusive}
) %}
{%- set arguments = rule['arguments'] %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where {{ sx_outside(
    rule['column'], arguments['min_value'], arguments['max_value'], arguments['inclusive']
) }}
{% endtest %}
