{#- {column, op, value} as a SQL condition. -#}
{% macro sx_predicate(predicate) %}
    {%- set column = sx_id(predicate['column']) -%}
    {%- set op = predicate['op'] -%}
    {%- set value = predicate.get('value') -%}
    {%- if op == 'is_null' -%}
        {%- do return(column ~ ' is null') -%}
    {%- elif op == 'is_not_null' -%}
        {%- do return(column ~ ' is not null') -%}
    {%- elif op == 'in' -%}
        {%- do return(column ~ ' in (' ~ sx_operands(value) ~ ')') -%}
    {%- elif op == 'between' -%}
        {%- do return(column ~ ' between ' ~ sx_operand(value[0]) ~ ' and ' ~ sx_operand(value[1])) -%}
    {%- elif op in ('=', '!=', '<', '<=', '>', '>=') -%}
        {%- do return(column ~ ' ' ~ op ~ ' ' ~ sx_operand(value)) -%}
    {%- endif -%}
    {%- do exceptions.raise_compiler_error('unknown operator of a predicate: ' ~ op) -%}
{% endmacro %}

{#- What a column is compared with, as SQL: a literal, a relative time (`now-1d`, `today`), or one of
    {literal: text}, {timestamp: text}, {date: text}. -#}
{% macro sx_operand(value) %}
    {%- if value is mapping -%}
        {%- for kind in ('timestamp', 'date') if kind in value -%}
            {%- do return(
                ('timestamptz ' if kind == 'timestamp' else 'date ') ~ sx_lit(value[kind])
            ) -%}
        {%- endfor -%}
        {%- do return(sx_lit(value['literal'])) -%}
    {%- endif -%}
    {%- set moment = sx_moment(value) if value is string else none -%}
    {%- do return(sx_lit(value) if moment is none else moment) -%}
{% endmacro %}

{#- Several of them, separated by commas. -#}
{% macro sx_operands(values) %}
    {%- set operands = [] -%}
    {%- for value in values -%}
        {%- do operands.append(sx_operand(value)) -%}
    {%- endfor -%}
    {%- do return(operands | join(', ')) -%}
{% endmacro %}

{#- A relative time as SQL that an index can serve; none for a text that is not one. `now` is moved
    in minutes (m), hours (h), days of 24 hours (d) and weeks (w), `today` in days and weeks. -#}
{% macro sx_moment(text) %}
    {%- set match = modules.re.fullmatch(
        '(?:(now)(?:([+-])([0-9]{1,9})([mhdw]))?|(today)(?:([+-])([0-9]{1,9})([dw]))?)', text
    ) -%}
    {%- if match is none -%}
        {%- do return(none) -%}
    {%- elif match[5] is not none -%}
        {%- set days = (match[7] or 0) | int * {'d': 1, 'w': 7}[match[8] or 'd'] -%}
        {%- do return('current_date' ~ (' ' ~ match[6] ~ ' ' ~ days if days else '')) -%}
    {%- endif -%}
    {%- set units = {'m': 1, 'h': 60, 'd': 1440, 'w': 10080} -%}
    {%- set minutes = (match[3] or 0) | int * units[match[4] or 'm'] -%}
    {%- do return('current_timestamp' ~ (
        ' ' ~ match[2] ~ ' interval ' ~ sx_lit(minutes ~ ' minutes') if minutes else ''
    )) -%}
{% endmacro %}
