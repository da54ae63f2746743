{#- Tests that group or join, some of which only look like the built-in ones. -#}
{% test unique_together(model, columns) %}
with validation_errors as (
    select
        {{ columns | join(', ') }}
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
)
select *
from validation_errors
{% endtest %}

{% test grouped(model, selected, by, having, condition='true') %}
select {{ selected }}
from {{ model }}
where {{ condition }}
group by {{ by }}
having {{ having }}
{% endtest %}

{% test grouped_inside(model, by, condition) %}
select *
from (select {{ by }} as v, count(*) as n from {{ model }} group by {{ by }}) as g
where {{ condition }}
{% endtest %}

{% test grouped_first(model, by, condition) %}
with all_values as (
    select
        {{ by }} as value_field,
        count(*) as n_records
    from {{ model }}
    group by {{ by }}
)
select *
from all_values
where {{ condition }}
{% endtest %}

{% test ranked(model, column_name, condition='place > 1') %}
select *
from (
    select
        {{ column_name }},
        row_number() over (partition by {{ column_name }} order by {{ column_name }}) as place
    from {{ model }}
    where {{ column_name }} is not null
) as places
where {{ condition }}
{% endtest %}

{% test related(model, column_name, to, field, from_where='1=1', to_where='1=1') %}
with left_table as (
    select {{ column_name }} as id
    from {{ model }}
    where {{ column_name }} is not null and {{ from_where }}
),
right_table as (
    select {{ field }} as id
    from {{ to }}
    where {{ field }} is not null and {{ to_where }}
)
select left_table.id as id, right_table.id as right_id
from left_table
left join right_table on left_table.id = right_table.id
where right_table.id is null
{% endtest %}

{% test known_in(model, column_name, to, field, join='left join', tail='') %}
with child as (
    select {{ column_name }} as from_field
    from {{ model }}
    where {{ column_name }} is not null
),

parent as (
    select {{ field }} as to_field
    from {{ to }}
)

select
    from_field

from child
{{ join }} parent
    on child.from_field = parent.to_field

where parent.to_field is null {{ tail }}
{% endtest %}

{% test same_kinds(model, column_name, to, field) %}
with a as (select distinct {{ column_name }} as v from {{ model }}),
b as (select distinct {{ field }} as v from {{ to }})
select v from a where v not in (select v from b)
{% endtest %}
