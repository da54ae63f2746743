{#- No combination of the columns stands twice; NULLs are equal. One row for each that does. Rows are
    left aside where all of the columns are NULL, or any of them, if `ignore_row_if` says so. -#}
{% test unique_combination_of_columns(model, columns=[], ignore_row_if='never') %}
{%- set rule = sx_rule(model, none, {'columns': columns, 'ignore_row_if': ignore_row_if}) %}
{%- set names = sx_column_list(rule, rule['arguments']['columns']) %}
{%- set ignored = rule['arguments']['ignore_row_if'] %}
select {{ names }}
from {{ rule['subject'] }}
{%- if ignored == 'all_values_are_missing' %}
where num_nonnulls({{ names }}) > 0
{%- elif ignored == 'any_value_is_missing' %}
where num_nulls({{ names }}) = 0
{%- endif %}
group by {{ names }}
having count(*) > 1
{% endtest %}
