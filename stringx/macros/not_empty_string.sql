{#- No text of length zero; blanks at both ends are cut off first unless `trim_whitespace` is false. -#}
{% test not_empty_string(model, column_name=none, trim_whitespace=true) %}
{%- set rule = sx_rule(model, column_name, {'trim_whitespace': trim_whitespace}) %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
{%- if rule['arguments']['trim_whitespace'] %}
where trim({{ rule['column'] }}) = ''
{%- else %}
where {{ rule['column'] }} = ''
{%- endif %}
{% endtest %}
