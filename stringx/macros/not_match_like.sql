{#- Texts that are not like the pattern, in which % stands for any text and _ for one character. -#}
{% test not_match_like(model, column_name=none, like_pattern=none) %}
{%- set rule = sx_rule(model, column_name, {'like_pattern': like_pattern}) %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where {{ rule['column'] }} like {{ sx_lit(rule['arguments']['like_pattern']) }}
{% endtest %}
