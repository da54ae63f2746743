{#- Texts of a format: email, uuid, url (http, https), ipv4, ipv6, date and timestamp (ISO 8601), json
    (needs PostgreSQL 16), iban, country_iso3166, currency_iso4217, language_iso639, phone (E.164),
    latitude, longitude. Nothing is cast that might not be what it looks like. -#}
{% test format(model, column_name=none, format=none) %}
{%- set rule = sx_rule(model, column_name, {'format': format}) %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where {{ sx_is_not_of_format(rule['column'] ~ '::text', rule['arguments']['format']) }}
{% endtest %}

{#- The condition that a text is not of a format. NULL is of every format. -#}
{% macro sx_is_not_of_format(text, format) %}
    {%- set regex = sx_format_regex(format) -%}
    {%- if regex is not none -%}
        {%- do return(text ~ ' !~ ' ~ sx_lit(regex)) -%}
    {%- endif -%}
    {%- set codes = sx_format_codes(format) -%}
    {%- if codes is not none -%}
        {%- do return(text ~ ' not in (' ~ sx_lits(codes) ~ ')') -%}
    {%- endif -%}
    {%- if format == 'json' -%}
        {%- do return('not pg_input_is_valid(' ~ text ~ ", 'json')") -%}
    {%- elif format in ('latitude', 'longitude') -%}
        {%- set limit = 90 if format == 'latitude' else 180 -%}
        {%- do return(
            'case when ' ~ text ~ " !~ '^[+-]?[0-9]{1,3}([.][0-9]{1,30})?([eE][+-]?[0-9]{1,2})?$'"
            ~ ' then true else abs(' ~ text ~ '::numeric) > ' ~ limit ~ ' end'
        ) -%}
    {%- elif format == 'iban' -%}
        {%- set number = namespace(sql='substr(' ~ text ~ ', 5) || substr(' ~ text ~ ', 1, 4)') -%}
        {%- for letter in 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' -%}
            {%- set number.sql = 'replace(' ~ number.sql ~ ", '" ~ letter ~ "', '"
                ~ (loop.index + 9) ~ "')" -%}
        {%- endfor -%}
        {%- do return(
            'case when ' ~ text ~ " !~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$' then true"
            ~ ' else mod((' ~ number.sql ~ ')::numeric, 97) <> 1 end'
        ) -%}
    {%- endif -%}
    {%- if execute -%}
        {%- do exceptions.raise_compiler_error('unknown format: ' ~ format) -%}
    {%- endif -%}
{% endmacro %}
