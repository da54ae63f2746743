{#- The column has more than one distinct value, or none. One row where it has one. -#}
{% test not_constant(model, column_name=none) %}
{%- set rule = sx_rule(model, column_name, {}) %}
select n_distinct
from (
    select count(distinct {{ rule['column'] }}) as n_distinct
    from {{ rule['subject'] }}
) counts
where n_distinct = 1
{% endtest %}
