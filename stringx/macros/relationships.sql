{#- dbt's own test of this name, for the rules of StringX as well. From StringX `to` is
    {schema, identifier}. -#}
{% test relationships(model, column_name=none, to=none, field=none) %}
{%- set rule = sx_rule(model, column_name, {'to': to, 'field': field}) %}
{%- set to = rule['arguments']['to'] %}
with child as (
    select {{ rule['column'] }} as from_field
    from {{ rule['subject'] }}
    where {{ rule['column'] }} is not null
),
parent as (
    select {{ sx_column(rule, rule['arguments']['field']) }} as to_field
    from {{ sx_relation(to) if rule['in_meta'] else to }}
)
select from_field
from child
left join parent on child.from_field = parent.to_field
where parent.to_field is null
{% endtest %}
