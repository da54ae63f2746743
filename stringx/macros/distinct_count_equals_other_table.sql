{#- The column has as many distinct values as `compare_column` of the other table (or the column of
    the same name). One row where it has not. -#}
{% test distinct_count_equals_other_table(
    model, column_name=none, compare_model=none, compare_column=none, compare_where=[]
) %}
{%- set rule = sx_rule(model, column_name, {
    'compare_model': compare_model,
    'compare_column': compare_column,
    'compare_where': compare_where,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set other = rule['column'] %}
{%- if arguments['compare_column'] is not none %}
    {%- set other = sx_column(rule, arguments['compare_column']) %}
{%- endif %}
select n_values, n_compared
from (select count(distinct {{ rule['column'] }}) as n_values from {{ rule['subject'] }}) here
cross join (
    select count(distinct {{ other }}) as n_compared
    from {{ sx_compared(rule, arguments['compare_model'], arguments['compare_where']) }}
) there
where n_values <> n_compared
{% endtest %}
