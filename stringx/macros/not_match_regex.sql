{#- Texts in which PostgreSQL's regular expression matches nowhere. -#}
{% test not_match_regex(model, column_name=none, regex=none, flags=none) %}
{%- set rule = sx_rule(model, column_name, {'regex': regex, 'flags': flags}) %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where {{ rule['column'] }} ~ {{ sx_regex(rule['arguments']['regex'], rule['arguments']['flags']) }}
{% endtest %}
