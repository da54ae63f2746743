{#- JSON documents that a JSON Schema (2020-12) accepts, as far as `sx_json_accepts` knows its words.
    The column is of type json or jsonb; where `is_text` says that it is a text, PostgreSQL 16 is
    needed to look into it, and what is no JSON violates the rule. (The argument is not called schema,
    which dbt takes for a configuration.) -#}
{% test json_schema(model, column_name=none, json_schema=none, is_text=false) %}
{%- set rule = sx_rule(model, column_name, {'json_schema': json_schema, 'is_text': is_text}) %}
{%- set arguments = rule['arguments'] %}
{%- set schema = arguments['json_schema'] %}
{%- if schema is none %}
{%- if execute %}{% do exceptions.raise_compiler_error('json_schema: the argument json_schema is not there') %}{% endif %}
{%- set schema = true %}
{%- endif %}
{%- set column = rule['column'] %}
{%- set value = column ~ '::jsonb' if arguments['is_text'] else 'to_jsonb(' ~ column ~ ')' %}
select {{ column }}
from {{ rule['subject'] }}
where case
    when {{ column }} is null then false
{%- if arguments['is_text'] %}
    when not pg_input_is_valid({{ column }}, 'jsonb') then true
{%- endif %}
    else not {{ sx_json_accepts(value, schema, 0) }}
end
{% endtest %}
