{#- Tests of single rows, as users write them. -#}
{% test holds(model, expression, column_name=none) %}
select 1
from {{ model }}
where not ({{ (column_name ~ ' ') if column_name else '' }}{{ expression }})
{% endtest %}

{% test holds_in_every_row(model, expression) %}
{% set listed = '*' if should_store_failures() else '1' %}

select
    {{ listed }}
from {{ model }}

where not({{ expression }})

{% endtest %}

{% test never(model, condition) %}
SELECT * FROM {{ model }} WHERE {{ condition }}
{% endtest %}

{% test listed(model, selected, condition='true') %}
select {{ selected }} from {{ model }} where {{ condition }}
{% endtest %}

{% test renamed(model, named, selected, condition) %}
select {{ selected }} from {{ model }} as {{ named }} where {{ condition }}
{% endtest %}

{% test tail(model, column_name, condition, tail) %}
select {{ column_name }} from {{ model }} where {{ condition }} {{ tail }}
{% endtest %}

{% test in_range(model, column_name, low=none, high=none, inclusive=true) %}
with meet_condition as (
    select * from {{ model }}
),

validation_errors as (
    select * from meet_condition
    where
        -- never true, so that the rest can begin with `or`
        1 = 2
    {%- if low is not none %}
        or not {{ column_name }} >{{ '=' if inclusive }} {{ low }}
    {%- endif %}
    {%- if high is not none %}
        or not {{ column_name }} <{{ '=' if inclusive }} {{ high }}
    {%- endif %}
)

select * from validation_errors
{% endtest %}

{% test expected(model, expression, column_name=none) %}
with judged as (
    select ( {{ expression }} ) as verdict
    from {{ model }}
),
wrong as (
    select * from judged where not (verdict = true)
)
select *
from wrong
{% endtest %}

{% test filled(model, column_name, trim=true) %}
with
all_values as (
    select {{ column_name }} from {{ model }}
),
errors as (
    select * from all_values
    where {{ 'trim(' ~ column_name ~ ')' if trim else column_name }} = ''
)
select * from errors
{% endtest %}

{% test null_where(model, column_name, condition) %}
select *
from (select * from {{ model }} where {{ condition }}) narrowed
where {{ column_name }} is null
{% endtest %}

{% test chained(model, column_name, first, second) %}
with a as (select * from {{ model }} where {{ first }}),
b as (select * from a where {{ second }}),
c as (select {{ column_name }} as v from b)
select v from c where v is null or v = v
{% endtest %}
