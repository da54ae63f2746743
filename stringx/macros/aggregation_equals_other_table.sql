{#- An aggregate of the table equals that of the other one (`compare_expression`, or the same), give or
    take `tolerance`, or `tolerance_percent` of its own. One row where it does not; NULL equals NULL
    only, as NaN does NaN: their difference would be greater than any tolerance. -#}
{% test aggregation_equals_other_table(
    model,
    expression=none,
    compare_model=none,
    compare_expression=none,
    tolerance=0,
    tolerance_percent=none,
    compare_where=[]
) %}
{%- set rule = sx_rule(model, none, {
    'expression': expression,
    'compare_model': compare_model,
    'compare_expression': compare_expression,
    'tolerance': tolerance,
    'tolerance_percent': tolerance_percent,
    'compare_where': compare_where,
}) %}
{%- set arguments = rule['arguments'] %}
select measured, compared
from (
    select {{ arguments['expression'] }} as measured
    from {{ rule['subject'] }}
) here
cross join (
    select {{ arguments['compare_expression'] or arguments['expression'] }} as compared
    from {{ sx_compared(rule, arguments['compare_model'], arguments['compare_where']) }}
) there
{%- if arguments['tolerance_percent'] is not none %}
where measured is distinct from compared
    and (
        measured is null
        or compared is null
        -- NaN, or infinite: there is no share of it.
        or measured - measured <> 0
        or abs(measured - compared) * 100
            > {{ sx_lit(arguments['tolerance_percent']) }} * abs(measured)
    )
{%- elif arguments['tolerance'] %}
where measured is distinct from compared
    and (
        measured is null
        or compared is null
        or abs(measured - compared) > {{ sx_lit(arguments['tolerance']) }}
    )
{%- else %}
where measured is distinct from compared
{%- endif %}
{% endtest %}
