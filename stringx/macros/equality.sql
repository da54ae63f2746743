{#- Both tables have the same rows in `compare_columns`; how often each row stands does not matter.
    One row for each that the other table has not. -#}
{% test equality(model, compare_model=none, compare_columns=[], compare_where=[]) %}
{%- set rule = sx_rule(model, none, {
    'compare_model': compare_model,
    'compare_columns': compare_columns,
    'compare_where': compare_where,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set columns = sx_column_list(rule, arguments['compare_columns']) %}
with here as (
    select {{ columns }}
    from {{ rule['subject'] }}
),
there as (
    select {{ columns }}
    from {{ sx_compared(rule, arguments['compare_model'], arguments['compare_where']) }}
)
(select {{ columns }} from here except select {{ columns }} from there)
union all
(select {{ columns }} from there except select {{ columns }} from here)
{% endtest %}
