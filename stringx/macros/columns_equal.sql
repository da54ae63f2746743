{#- The column equals the other one. With `nulls_equal` two NULLs are equal, and NULL differs from
    any value; else a row with NULL in either column does not count. -#}
{% test columns_equal(model, column_name=none, other_column=none, nulls_equal=false) %}
{%- set rule = sx_rule(
    model, column_name, {'other_column': other_column, 'nulls_equal': nulls_equal}
) %}
{%- set other = sx_column(rule, rule['arguments']['other_column']) %}
select {{ rule['column'] }}, {{ other }}
from {{ rule['subject'] }}
{%- if rule['arguments']['nulls_equal'] %}
where {{ rule['column'] }} is distinct from {{ other }}
{%- else %}
where not ({{ rule['column'] }} = {{ other }})
{%- endif %}
{% endtest %}
