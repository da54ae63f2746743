{#- The columns identify a row: no NULL in them, no combination twice. One row for each combination
    that has a NULL or stands twice. -#}
{% test primary_key(model, columns=[]) %}
{%- set rule = sx_rule(model, none, {'columns': columns}) %}
{%- set names = sx_column_list(rule, rule['arguments']['columns']) %}
select {{ names }}, count(*) as n_records
from {{ rule['subject'] }}
group by {{ names }}
having count(*) > 1 or num_nulls({{ names }}) > 0
{% endtest %}
