{#- For tests that compare with what was measured before: they only measure here, StringX compares
    when it stores the result. With dbt alone there is nothing to compare with. -#}
{% macro sx_needs_history(rule, name, instead) %}
    {%- if execute and not rule['in_meta'] -%}
        {%- do exceptions.raise_compiler_error(
            name ~ ' compares with what StringX measured before, and dbt alone keeps nothing of '
            ~ 'that: make it a rule of StringX, or use ' ~ instead ~ ' here'
        ) -%}
    {%- endif -%}
{% endmacro %}

{#- The number of rows or, with `timestamp_column`, of those in the last whole bucket, in UTC. -#}
{% macro sx_row_count(rule) %}
    {%- set arguments = rule['arguments'] -%}
    {%- if arguments['timestamp_column'] is none -%}
        {%- do return('count(*)') -%}
    {%- endif -%}
    {%- set bucket = arguments['bucket'] -%}
    {%- if bucket not in ('hour', 'day', 'week') -%}
        {%- do exceptions.raise_compiler_error('unknown bucket: ' ~ bucket) -%}
    {%- endif -%}
    {%- set moment = sx_column(rule, arguments['timestamp_column']) -%}
    {%- set end = "date_trunc('" ~ bucket ~ "', current_timestamp at time zone 'UTC')" -%}
    {%- set start = '(' ~ end ~ " - interval '1 " ~ bucket ~ "')" -%}
    {#- Without a zone a column is taken as UTC: compared with a moment it would be read in the zone
        of the session. The type is asked of a sum, which is never a domain and never computed. -#}
    {%- set type = 'pg_typeof(case when false then ' ~ moment ~ " + interval '0' end)" -%}
    {%- do return(
        'count(case when case when ' ~ type ~ " = 'timestamp with time zone'::regtype then "
        ~ moment ~ ' >= ' ~ start ~ " at time zone 'UTC' and "
        ~ moment ~ ' < ' ~ end ~ " at time zone 'UTC' else "
        ~ moment ~ ' >= ' ~ start ~ ' and ' ~ moment ~ ' < ' ~ end ~ ' end then 1 end)'
    ) -%}
{% endmacro %}
