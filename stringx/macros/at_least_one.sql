{#- The column has a value in one row at least. One row where it has none; an empty table fails. -#}
{% test at_least_one(model, column_name=none) %}
{%- set rule = sx_rule(model, column_name, {}) %}
select n_values
from (
    select count({{ rule['column'] }}) as n_values
    from {{ rule['subject'] }}
) counts
where n_values = 0
{% endtest %}
