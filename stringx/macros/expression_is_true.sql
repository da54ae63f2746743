{#- A condition over the columns of the table holds in each row. -#}
{% test expression_is_true(model, expression=none) %}
{%- set rule = sx_rule(model, none, {'expression': expression}) %}
select 1
from {{ rule['subject'] }}
where not ({{ rule['arguments']['expression'] }})
{% endtest %}
