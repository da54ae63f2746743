{#- Texts that any of the regular expressions matches, or all of them (`match_on`). -#}
{% test match_regex_list(
    model, column_name=none, regex_list=[], match_on='any', flags=none
) %}
{%- set rule = sx_rule(
    model, column_name, {'regex_list': regex_list, 'match_on': match_on, 'flags': flags}
) %}
{%- set arguments = rule['arguments'] %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where not {{ sx_matches(
    rule['column'], '~', arguments['regex_list'], arguments['match_on'], arguments['flags']
) }}
{% endtest %}
