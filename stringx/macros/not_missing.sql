{#- No NULL, none of the values that stand for a missing one, no text of a pattern that does. -#}
{% test not_missing(model, column_name=none, missing_values=[], missing_regex=none) %}
{%- set rule = sx_rule(
    model, column_name, {'missing_values': missing_values, 'missing_regex': missing_regex}
) %}
{%- set arguments = rule['arguments'] %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where {{ rule['column'] }} is null
{%- if arguments['missing_values'] %}
    or {{ rule['column'] }} in ({{ sx_lits(arguments['missing_values']) }})
{%- endif %}
{%- if arguments['missing_regex'] is not none %}
    or {{ rule['column'] }}::text ~ {{ sx_lit(arguments['missing_regex']) }}
{%- endif %}
{% endtest %}
