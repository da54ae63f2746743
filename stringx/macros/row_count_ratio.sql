{#- The table has `factor` times as many rows as the other one, give or take `tolerance_percent` of
    these. One row where it has not. -#}
{% test row_count_ratio(
    model, compare_model=none, factor=1, tolerance_percent=0, compare_where=[]
) %}
{%- set rule = sx_rule(model, none, {
    'compare_model': compare_model,
    'factor': factor,
    'tolerance_percent': tolerance_percent,
    'compare_where': compare_where,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set expected = sx_lit(arguments['factor']) ~ ' * n_compared' %}
select n_rows, n_compared
from (select count(*) as n_rows from {{ rule['subject'] }}) here
cross join (
    select count(*) as n_compared
    from {{ sx_compared(rule, arguments['compare_model'], arguments['compare_where']) }}
) there
where abs(n_rows - {{ expected }}) * 100 > {{ sx_lit(arguments['tolerance_percent']) }} * {{ expected }}
{% endtest %}
