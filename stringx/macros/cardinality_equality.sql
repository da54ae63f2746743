{#- Each value stands as often in the column as in the field of the other table. One row for each
    value and count that the other side has not. -#}
{% test cardinality_equality(model, column_name=none, to=none, field=none, to_where=[]) %}
{%- set rule = sx_rule(model, column_name, {'to': to, 'field': field, 'to_where': to_where}) %}
{%- set arguments = rule['arguments'] %}
with here as (
    select {{ rule['column'] }} as value_field, count(*) as n_records
    from {{ rule['subject'] }}
    group by 1
),
there as (
    select {{ sx_column(rule, arguments['field']) }} as value_field, count(*) as n_records
    from {{ sx_compared(rule, arguments['to'], arguments['to_where']) }}
    group by 1
)
(select * from here except select * from there)
union all
(select * from there except select * from here)
{% endtest %}
