{#- The newest value of the column is no older than `warn_after` and `error_after`, each
    {count, period}. One row for each of them that it is older than, or where there is no value. -#}
{% test freshness(model, column_name=none, warn_after=none, error_after=none) %}
{%- set rule = sx_rule(
    model, column_name, {'warn_after': warn_after, 'error_after': error_after}
) %}
{%- set limits = [] %}
{%- for name in ('warn_after', 'error_after') %}
    {%- set limit = rule['arguments'][name] %}
    {%- if limit %}
        {%- do limits.append(sx_interval(limit['period'], limit['count'])) %}
    {%- endif %}
{%- endfor %}
{%- if execute and not limits %}
    {%- do exceptions.raise_compiler_error('freshness: needs warn_after, error_after or both') %}
{%- endif %}
select newest
from (
    select max({{ rule['column'] }}) as newest
    from {{ rule['subject'] }}
) latest
{%- if limits | length == 1 %}
where newest is null or newest < current_timestamp - {{ limits[0] }}
{%- else %}
cross join (values ({{ limits | join('), (') }})) limits (age)
where newest is null or newest < current_timestamp - age
{%- endif %}
{% endtest %}
