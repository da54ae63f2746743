{#- Each of the listed values stands in the column. One row for each that does not. -#}
{% test distinct_values_contain_set(model, column_name=none, values=[]) %}
{%- set rule = sx_rule(model, column_name, {'values': values}) %}
{{ sx_listed_but_absent(rule) }}
{% endtest %}

{#- A query of the listed values that the column has not. The column stands first in it, so that the
    values take its type. -#}
{% macro sx_listed_but_absent(rule) %}
select listed.value
from (
    select {{ rule['column'] }} as value from {{ rule['subject'] }} where false
    {%- for value in rule['arguments']['values'] or [] %}
    union all select {{ sx_lit(value) }}
    {%- endfor %}
) listed
where not exists (
    select from {{ rule['subject'] }} where {{ rule['column'] }} = listed.value
)
{% endmacro %}
