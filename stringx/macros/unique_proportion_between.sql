{#- The share of distinct values among all values lies between `min_value` and `max_value`. One row
    where it does not; a column without values passes. -#}
{% test unique_proportion_between(
    model, column_name=none, min_value=none, max_value=none, inclusive=true
) %}
{%- set rule = sx_rule(
    model,
    column_name,
    {'min_value': min_value, 'max_value': max_value, 'inclusive': inclusive}
) %}
{%- set arguments = rule['arguments'] %}
select n_values, n_distinct
from (
    select
        count({{ rule['column'] }}) as n_values,
        count(distinct {{ rule['column'] }}) as n_distinct
    from {{ rule['subject'] }}
) counts
where {{ sx_outside(
    'n_distinct::numeric / nullif(n_values, 0)',
    arguments['min_value'], arguments['max_value'], arguments['inclusive']
) }}
{% endtest %}
