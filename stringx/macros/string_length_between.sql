{#- Texts of `min_value` to `max_value` characters, both included. -#}
{% test string_length_between(model, column_name=none, min_value=none, max_value=none) %}
{%- set rule = sx_rule(model, column_name, {'min_value': min_value, 'max_value': max_value}) %}
{%- set arguments = rule['arguments'] %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where {{ sx_outside(
    'char_length(' ~ rule['column'] ~ ')', arguments['min_value'], arguments['max_value']
) }}
{% endtest %}
