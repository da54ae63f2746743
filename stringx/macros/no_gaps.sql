{#- Every window of `interval` dateparts has a value, from the window of `start` to that of `end`, or
    from the oldest value to the newest. One row for each gap, however many windows are in it. -#}
{% test no_gaps(model, column_name=none, datepart='day', interval=1, start=none, end=none) %}
{%- set rule = sx_rule(
    model, column_name, {'datepart': datepart, 'interval': interval, 'start': start, 'end': end}
) %}
{%- set arguments = rule['arguments'] %}
{%- set part = arguments['datepart'] %}
{%- set start = none if arguments['start'] is none else sx_lit(arguments['start']) %}
{%- set end = none if arguments['end'] is none else sx_lit(arguments['end']) %}
with
-- The dateparts with a value, as numbers.
seen as (
    select distinct {{ sx_number_of_datepart(rule['column'], part) }} as n
    from {{ rule['subject'] }}
    where isfinite({{ rule['column'] }})
),
limits as (
    select
        {{ 'oldest' if start is none else sx_number_of_datepart(start, part) }} as first,
        {{ 'newest' if end is none else sx_number_of_datepart(end, part) }} as last
    from (select min(n) as oldest, max(n) as newest from seen) whole
),
-- The windows with a value, and those around them that need not have one.
windows as (
    select distinct div(n - first, {{ sx_lit(arguments['interval']) }}) as place
    from seen cross join limits
    where n between first and last
{%- if start is not none %}
    union all
    select -1
{%- endif %}
{%- if end is not none %}
    union all
    select div(last - first, {{ sx_lit(arguments['interval']) }}) + 1 from limits
{%- endif %}
),
pairs as (
    select place, lead(place) over (order by place) as next_place
    from windows
    where place is not null
)
select
    first + (place + 1) * {{ sx_lit(arguments['interval']) }} as gap_starts_at,
    next_place - place - 1 as windows_without_value
from pairs cross join limits
where next_place - place > 1
{% endtest %}

{#- The datepart in which a moment lies, as the number of dateparts since 1970. -#}
{% macro sx_number_of_datepart(moment, datepart) %}
    {%- set moment = '(' ~ moment ~ ')::timestamp' -%}
    {%- set seconds = {'minute': 60, 'hour': 3600, 'day': 86400, 'week': 604800} -%}
    {%- if datepart in seconds -%}
        {%- set origin = '1970-01-05' if datepart == 'week' else '1970-01-01' -%}
        {%- do return(
            "div(extract(epoch from date_trunc('" ~ datepart ~ "', " ~ moment ~ ") - timestamp '"
            ~ origin ~ "')::numeric, " ~ seconds[datepart] ~ ")"
        ) -%}
    {%- elif datepart == 'month' -%}
        {%- do return(
            '(extract(year from ' ~ moment ~ ') * 12 + extract(month from ' ~ moment
            ~ ') - 23641)::numeric'
        ) -%}
    {%- elif datepart == 'year' -%}
        {%- do return('(extract(year from ' ~ moment ~ ') - 1970)::numeric') -%}
    {%- endif -%}
    {%- if execute -%}
        {%- do exceptions.raise_compiler_error('unknown datepart: ' ~ datepart) -%}
    {%- endif -%}
{% endmacro %}
