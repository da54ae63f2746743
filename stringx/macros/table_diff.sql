{#- Rows with equal `keys` agree in `compare_columns`, NULL being equal to NULL, and none is missing
    in either table. One row for each that differs or is missing; NULL in a key finds no partner. -#}
{% test table_diff(model, compare_model=none, keys=[], compare_columns=[], compare_where=[]) %}
{%- set rule = sx_rule(model, none, {
    'compare_model': compare_model,
    'keys': keys,
    'compare_columns': compare_columns,
    'compare_where': compare_where,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set keys = arguments['keys'] or [] %}
{%- set columns = arguments['compare_columns'] or [] %}
{%- set items = ['1 as is_there'] %}
{%- set joined = [] %}
{%- set differing = ['here.is_there is null', 'there.is_there is null'] %}
{%- for key in keys %}
    {%- do items.append(sx_column(rule, key) ~ ' as key_' ~ loop.index) %}
    {%- do joined.append('here.key_' ~ loop.index ~ ' = there.key_' ~ loop.index) %}
{%- endfor %}
{%- for column in columns %}
    {%- do items.append(sx_column(rule, column) ~ ' as value_' ~ loop.index) %}
    {%- do differing.append(
        'here.value_' ~ loop.index ~ ' is distinct from there.value_' ~ loop.index
    ) %}
{%- endfor %}
with here as (
    select {{ items | join(', ') }}
    from {{ rule['subject'] }}
),
there as (
    select {{ items | join(', ') }}
    from {{ sx_compared(rule, arguments['compare_model'], arguments['compare_where']) }}
)
select
    {%- for key in keys %}
    coalesce(here.key_{{ loop.index }}, there.key_{{ loop.index }}) as key_{{ loop.index }},
    {%- endfor %}
    here.is_there is null as is_missing_here,
    there.is_there is null as is_missing_there
from here
full join there on {{ joined | join(' and ') }}
where {{ differing | join(' or ') }}
{% endtest %}
