{#- Tests of a whole column or table. -#}
{% test varies(model, column_name) %}
select
    count(distinct {{ column_name }}) as kinds
from {{ model }}
having count(distinct {{ column_name }}) = 1
{% endtest %}

{% test has_one(model, column_name) %}
select
    count({{ column_name }}) as filled
from {{ model }}
having count({{ column_name }}) = 0
{% endtest %}

{% test share_known(model, column_name, at_least, at_most=1.0) %}
with validation as (
    select
        sum(case when {{ column_name }} is null then 0 else 1 end)
            / cast(count(*) as numeric) as share
    from {{ model }}
),
validation_errors as (
    select share from validation
    where share < {{ at_least }} or share > {{ at_most }}
)
select * from validation_errors
{% endtest %}

{% test fresh(model, field, datepart, interval) %}
with latest as (
    select max({{ field }}) as newest from {{ model }}
)
select newest, current_timestamp - interval '{{ interval }} {{ datepart }}' as threshold
from latest
where newest < current_timestamp - interval '{{ interval }} {{ datepart }}'
{% endtest %}

{% test aggregate_is(model, aggregate, condition) %}
select * from (select {{ aggregate }} as measured from {{ model }}) m where {{ condition }}
{% endtest %}

{% test counted(model, aggregate, condition) %}
with measured as (select {{ aggregate }} as n from {{ model }} where {{ condition }})
select n from measured where n > 0
{% endtest %}

{% test as_many_rows(model, other) %}
with a as (select count(*) as n_a from {{ model }}),
b as (select count(*) as n_b from {{ other }})
select n_a, n_b, abs(n_a - n_b) as difference from a cross join b where n_a <> n_b
{% endtest %}

{% test same_rows(model, other) %}
(select * from {{ model }} except select * from {{ other }})
union all
(select * from {{ other }} except select * from {{ model }})
{% endtest %}

{% test in_step(model, column_name, step=1) %}
with windowed as (
    select
        {{ column_name }},
        lag({{ column_name }}) over (order by {{ column_name }}) as previous
    from {{ model }}
),
validation_errors as (
    select * from windowed where not ({{ column_name }} = previous + {{ step }})
)
select * from validation_errors
{% endtest %}

{% test no_overlap(model, low, high) %}
with ordered as (
    select
        {{ low }} as low,
        {{ high }} as high,
        lead({{ low }}) over (order by {{ low }}, {{ high }}) as next_low
    from {{ model }}
)
select * from ordered where not coalesce(high <= next_low, true)
{% endtest %}
