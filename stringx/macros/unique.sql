{#- dbt's own test of this name, for the rules of StringX as well. -#}
{% test unique(model, column_name=none) %}
{%- set rule = sx_rule(model, column_name, {}) %}
select
    {{ rule['column'] }} as unique_field,
    count(*) as n_records
from {{ rule['subject'] }}
where {{ rule['column'] }} is not null
group by {{ rule['column'] }}
having count(*) > 1
{% endtest %}
