{#- JSON objects that have all of the keys, or any of them where `require_all` is false. The column is
    of type json or jsonb; where `is_text` says that it is a text, PostgreSQL 16 is needed to look
    into it, and what is no JSON violates the rule. -#}
{% test json_keys(model, column_name=none, keys=[], require_all=true, is_text=false) %}
{%- set rule = sx_rule(
    model, column_name, {'keys': keys, 'require_all': require_all, 'is_text': is_text}
) %}
{%- set arguments = rule['arguments'] %}
{%- set operator = '?&' if arguments['require_all'] else '?|' %}
{%- set column = rule['column'] %}
{%- set value = column ~ '::jsonb' if arguments['is_text'] else 'to_jsonb(' ~ column ~ ')' %}
{%- set keys = 'array[' ~ sx_lits(arguments['keys']) ~ ']' %}
select {{ column }}
from {{ rule['subject'] }}
where case
{%- if arguments['is_text'] %}
    when not pg_input_is_valid({{ column }}, 'jsonb') then true
{%- endif %}
    when jsonb_typeof({{ value }}) = 'object' then not {{ value }} {{ operator }} {{ keys }}
    else {{ column }} is not null
end
{% endtest %}
