{#- dbt's own test of this name, for the rules of StringX as well. -#}
{% test not_null(model, column_name=none) %}
{%- set rule = sx_rule(model, column_name, {}) %}
select {{ '*' if should_store_failures() else rule['column'] }}
from {{ rule['subject'] }}
where {{ rule['column'] }} is null
{% endtest %}
