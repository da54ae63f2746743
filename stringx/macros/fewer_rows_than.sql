{#- The table has fewer rows than the other one. The count of failures is how many it has more, 1
    where both have the same number. -#}
{% test fewer_rows_than(model, compare_model=none, compare_where=[]) %}
{{ config(fail_calc='sum(difference)') }}
{%- set rule = sx_rule(
    model, none, {'compare_model': compare_model, 'compare_where': compare_where}
) %}
{%- set arguments = rule['arguments'] %}
select
    n_rows,
    n_compared,
    case
        when n_rows > n_compared then n_rows - n_compared
        when n_rows = n_compared then 1
        else 0
    end as difference
from (select count(*) as n_rows from {{ rule['subject'] }}) here
cross join (
    select count(*) as n_compared
    from {{ sx_compared(rule, arguments['compare_model'], arguments['compare_where']) }}
) there
{% endtest %}
