{#- dbt's own test of this name, for the rules of StringX as well. With dbt alone `quote` decides how
    the values are written, as it does in dbt; from StringX their own types do. `case_insensitive`
    compares texts in lower case. -#}
{% test accepted_values(
    model, column_name=none, values=[], quote=true, case_insensitive=false
) %}
{%- set rule = sx_rule(
    model, column_name, {'values': values, 'case_insensitive': case_insensitive}
) %}
{%- set list = sx_value_list(rule, quote) %}
select *
from (
    select
        {{ rule['column'] }} as value_field,
        count(*) as n_records
    from {{ rule['subject'] }}
    group by {{ rule['column'] }}
) all_values
{%- if rule['arguments']['case_insensitive'] %}
where lower(value_field) not in (select lower(value) from unnest(array[{{ list }}]) listed (value))
{%- else %}
where value_field not in ({{ list }})
{%- endif %}
{% endtest %}

{#- The argument `values` as SQL. -#}
{% macro sx_value_list(rule, quote) %}
    {%- set values = rule['arguments']['values'] or [] -%}
    {%- if rule['in_meta'] -%}
        {%- do return(sx_lits(values)) -%}
    {%- elif quote -%}
        {%- do return(sx_lits(values | map('string'))) -%}
    {%- endif -%}
    {%- do return(values | join(', ')) -%}
{% endmacro %}
