{#- The number of rows of each group against what it was. Only measures; StringX compares. Values are
    told apart by their first 200 characters. -#}
{% test group_anomaly(
    model, group_columns=[], max_groups=50, bucket='day', training_days=none, min_history=7,
    sensitivity=3, direction='both', method='zscore', seasonality='none', min_change_pct=0
) %}
{%- set rule = sx_rule(model, none, {'group_columns': group_columns, 'max_groups': max_groups}) %}
{%- do sx_needs_history(rule, 'group_anomaly', 'row_count_between with a where for each group') %}
{%- set keys = [] %}
{%- set names = [] %}
{%- for column in rule['arguments']['group_columns'] or [] %}
    {%- do keys.append('left(' ~ sx_column(rule, column) ~ '::text, 200)') %}
    {%- do names.append('key_' ~ loop.index) %}
{%- endfor %}
select
    coalesce(sum(row_count), 0)::bigint as n_rows,
    count(*) as n_groups,
    coalesce(
        json_agg(json_build_array({{ names | join(', ') }}, row_count) order by place)
            filter (where place <= {{ rule['arguments']['max_groups'] | int }}),
        '[]'
    ) as groups
from (
    select
        {%- for key in keys %}
        {{ key }} as {{ names[loop.index0] }},
        {%- endfor %}
        count(*) as row_count,
        row_number() over (order by count(*) desc, {{ keys | join(', ') }}) as place
    from {{ rule['subject'] }}
    group by {{ keys | join(', ') }}
) counts
{% endtest %}
