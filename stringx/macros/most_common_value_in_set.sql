{#- The `top_n` most common values are among those listed; values as common as the last of them count
    as well. One row for each that is not listed. -#}
{% test most_common_value_in_set(model, column_name=none, values=[], top_n=1, quote=true) %}
{%- set rule = sx_rule(model, column_name, {'values': values, 'top_n': top_n}) %}
select value_field, n_records
from (
    select
        {{ rule['column'] }} as value_field,
        count(*) as n_records,
        rank() over (order by count(*) desc) as place
    from {{ rule['subject'] }}
    where {{ rule['column'] }} is not null
    group by {{ rule['column'] }}
) ranked
where place <= {{ sx_lit(rule['arguments']['top_n']) }}
    and value_field not in ({{ sx_value_list(rule, quote) }})
{% endtest %}
