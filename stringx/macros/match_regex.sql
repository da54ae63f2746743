{#- Texts in which PostgreSQL's regular expression matches somewhere. -#}
{% test match_regex(model, column_name=none, regex=none) %}
{%- set rule = sx_rule(model, column_name, {'regex': regex}) %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where {{ rule['column'] }} !~ {{ sx_lit(rule['arguments']['regex']) }}
{% endtest %}
