{#- The column has exactly the listed values: all of them, and no other. One row for each listed value
    that is absent, and for each other one that is there. -#}
{% test distinct_values_equal_set(model, column_name=none, values=[]) %}
{%- set rule = sx_rule(model, column_name, {'values': values}) %}
{{ sx_listed_but_absent(rule) }}
union all
(
    select distinct {{ rule['column'] }}
    from {{ rule['subject'] }}
    where {{ rule['column'] }} not in ({{ sx_lits(rule['arguments']['values']) }})
)
{% endtest %}
