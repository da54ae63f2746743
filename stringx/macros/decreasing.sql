{#- In the order of `sort_column` each value is smaller than the one before (or equal, unless
    `strictly`), by exactly `step` if that is given. A NULL is compared with nothing. -#}
{% test decreasing(
    model, column_name=none, sort_column=none, strictly=true, step=none, partition_by=[]
) %}
{%- set rule = sx_rule(model, column_name, {
    'sort_column': sort_column, 'strictly': strictly, 'step': step, 'partition_by': partition_by
}) %}
{%- set arguments = rule['arguments'] %}
select value, previous
from (
    select
        {{ rule['column'] }} as value,
        lag({{ rule['column'] }}) over (
            {{ sx_partition(rule, arguments['partition_by']) }}order by {{
                sx_column(rule, arguments['sort_column'])
            }}, {{ rule['column'] }} desc
        ) as previous
    from {{ rule['subject'] }}
) ordered
where not (value {{ '<' if arguments['strictly'] else '<=' }} previous
{%- if arguments['step'] is not none %} and previous - value = {{ sx_lit(arguments['step']) }}{% endif %})
{% endtest %}
