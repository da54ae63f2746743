{#- The columns and their types against what they were, or those declared. Only reads them; StringX
    compares. With dbt alone what is declared is compared here: one row for each column that is gone,
    of another type or, with `fail_on_added`, new. -#}
{% test schema_change(
    model, baseline='previous', declared=none, fail_on_added=false, enforce_types=true
) %}
{%- set rule = sx_rule(model, none, {}) %}
{%- if execute and not rule['in_meta'] and baseline == 'declared' %}
with declared (name, type) as (
    values
    {%- for name, type in (declared or {}).items() %}
        ({{ sx_lit(name) }}, {{ sx_lit(type) }}){{ ',' if not loop.last }}
    {%- endfor %}
),
found as (
    select attname::text as name, format_type(atttypid, atttypmod) as type
    from pg_catalog.pg_attribute
    where attrelid = {{ sx_lit(rule['relation']) }}::pg_catalog.regclass
        and attnum > 0 and not attisdropped
)
select coalesce(declared.name, found.name) as name, declared.type as declared, found.type as found
from declared
full join found on declared.name = found.name
where found.name is null
    {%- if fail_on_added %}
    or declared.name is null
    {%- endif %}
    {%- if enforce_types %}
    or declared.type <> found.type
    {%- endif %}
{%- else %}
{%- do sx_needs_history(rule, 'schema_change', "baseline 'declared'") %}
select
    coalesce(
        json_agg(json_build_array(attname, format_type(atttypid, atttypmod)) order by attnum), '[]'
    ) as columns
from pg_catalog.pg_attribute
where attrelid = {{ sx_lit(rule['relation']) }}::pg_catalog.regclass
    and attnum > 0 and not attisdropped
{%- endif %}
{% endtest %}
