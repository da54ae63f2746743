{#- No combination of the columns stands twice; NULLs are equal. One row for each that does. -#}
{% test unique_combination_of_columns(model, columns=[]) %}
{%- set rule = sx_rule(model, none, {'columns': columns}) %}
{%- set names = [] %}
{%- for column in rule['arguments']['columns'] or [] %}
    {%- do names.append(sx_column(rule, column)) %}
{%- endfor %}
select {{ names | join(', ') }}
from {{ rule['subject'] }}
group by {{ names | join(', ') }}
having count(*) > 1
{% endtest %}
