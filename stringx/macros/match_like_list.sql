{#- Texts that are like any of the patterns, or all of them (`match_on`). -#}
{% test match_like_list(model, column_name=none, like_pattern_list=[], match_on='any') %}
{%- set rule = sx_rule(
    model, column_name, {'like_pattern_list': like_pattern_list, 'match_on': match_on}
) %}
{%- set arguments = rule['arguments'] %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where not {{ sx_matches(
    rule['column'], 'like', arguments['like_pattern_list'], arguments['match_on']
) }}
{% endtest %}
