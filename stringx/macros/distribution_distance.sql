{#- Values in each bucket: between edges, or one for each listed value and one for all others. Only
    counts them; StringX compares. -#}
{% test distribution_distance(
    model, column_name=none, edges=none, values=none, baseline='history', method='psi', max=0.25,
    bucket='day', training_days=none, min_history=7, seasonality='none'
) %}
{%- set rule = sx_rule(model, column_name, {'edges': edges, 'values': values}) %}
{%- do sx_needs_history(rule, 'distribution_distance', 'accepted_values or accepted_range') %}
{%- set column = rule['column'] %}
{%- set edges = rule['arguments']['edges'] %}
{%- set values = rule['arguments']['values'] %}
{%- set conditions = [] %}
{%- if edges %}
    {%- do conditions.append(column ~ ' < ' ~ sx_lit(edges[0])) %}
    {%- for edge in edges[1:] %}
        {%- do conditions.append(
            column ~ ' >= ' ~ sx_lit(edges[loop.index0]) ~ ' and ' ~ column ~ ' < ' ~ sx_lit(edge)
        ) %}
    {%- endfor %}
    {%- do conditions.append(column ~ ' >= ' ~ sx_lit(edges[-1])) %}
{%- else %}
    {%- for value in values or [] %}
        {%- do conditions.append(column ~ ' = ' ~ sx_lit(value)) %}
    {%- endfor %}
    {%- do conditions.append(column ~ ' not in (' ~ sx_lits(values) ~ ')') %}
{%- endif %}
select *
from (
    select
        {%- for condition in conditions %}
        count(case when {{ condition }} then 1 end) as bucket_{{ loop.index0 }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ rule['subject'] }}
) measures
where true
{% endtest %}
