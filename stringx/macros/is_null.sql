{#- The column has no value in any row. -#}
{% test is_null(model, column_name=none) %}
{%- set rule = sx_rule(model, column_name, {}) %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where {{ rule['column'] }} is not null
{% endtest %}
