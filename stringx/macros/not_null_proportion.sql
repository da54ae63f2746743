{#- The share of rows with a value lies between `at_least` and `at_most`. One row where it does not;
    an empty table passes. -#}
{% test not_null_proportion(model, column_name=none, at_least=none, at_most=1.0) %}
{%- set rule = sx_rule(model, column_name, {'at_least': at_least, 'at_most': at_most}) %}
select n_rows, n_values
from (
    select
        count(*) as n_rows,
        count({{ rule['column'] }}) as n_values
    from {{ rule['subject'] }}
) counts
where n_values < {{ sx_lit(rule['arguments']['at_least']) }} * n_rows
    or n_values > {{ sx_lit(rule['arguments']['at_most']) }} * n_rows
{% endtest %}
