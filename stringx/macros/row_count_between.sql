{#- The table has at least `min_value` and at most `max_value` rows. One row where it has not. -#}
{% test row_count_between(model, min_value=none, max_value=none) %}
{%- set rule = sx_rule(model, none, {'min_value': min_value, 'max_value': max_value}) %}
select n_rows
from (
    select count(*) as n_rows
    from {{ rule['subject'] }}
) counts
where {{ sx_outside('n_rows', rule['arguments']['min_value'], rule['arguments']['max_value']) }}
{% endtest %}
