{#- `relationships` among the rows of the other table for which all predicates of `to_where` hold.
    One row for each value that is not there. -#}
{% test relationships_where(model, column_name=none, to=none, field=none, to_where=[]) %}
{%- set rule = sx_rule(model, column_name, {'to': to, 'field': field, 'to_where': to_where}) %}
{%- set arguments = rule['arguments'] %}
with child as (
    select {{ rule['column'] }} as from_field
    from {{ rule['subject'] }}
    where {{ rule['column'] }} is not null
),
parent as (
    select {{ sx_column(rule, arguments['field']) }} as to_field
    from {{ sx_compared(rule, arguments['to'], arguments['to_where']) }}
)
select from_field
from child
left join parent on child.from_field = parent.to_field
where parent.to_field is null
{% endtest %}
