{#- The table has as many rows as the other one. The count of failures is the difference. -#}
{% test equal_rowcount(model, compare_model=none, compare_where=[]) %}
{{ config(fail_calc='sum(difference)') }}
{%- set rule = sx_rule(
    model, none, {'compare_model': compare_model, 'compare_where': compare_where}
) %}
{%- set arguments = rule['arguments'] %}
select n_rows, n_compared, abs(n_rows - n_compared) as difference
from (select count(*) as n_rows from {{ rule['subject'] }}) here
cross join (
    select count(*) as n_compared
    from {{ sx_compared(rule, arguments['compare_model'], arguments['compare_where']) }}
) there
{% endtest %}
