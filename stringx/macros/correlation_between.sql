{#- Pearson's correlation of two columns lies between `min_value` and `max_value`. One row where it
    does not; where there is none (fewer than two pairs, or a constant) nothing is violated. -#}
{% test correlation_between(
    model, column_name=none, other_column=none, min_value=none, max_value=none
) %}
{%- set rule = sx_rule(model, column_name, {
    'other_column': other_column, 'min_value': min_value, 'max_value': max_value
}) %}
{%- set arguments = rule['arguments'] %}
select correlation
from (
    select corr({{ rule['column'] }}, {{ sx_column(rule, arguments['other_column']) }}) as correlation
    from {{ rule['subject'] }}
) aggregates
where {{ sx_outside('correlation', arguments['min_value'], arguments['max_value']) }}
{% endtest %}
