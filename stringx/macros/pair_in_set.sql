{#- The column and the other one are one of the listed pairs. -#}
{% test pair_in_set(model, column_name=none, other_column=none, pairs=[]) %}
{%- set rule = sx_rule(model, column_name, {'other_column': other_column, 'pairs': pairs}) %}
{%- set other = sx_column(rule, rule['arguments']['other_column']) %}
{%- set listed = [] %}
{%- for pair in rule['arguments']['pairs'] or [] %}
    {%- do listed.append('(' ~ sx_lits(pair) ~ ')') %}
{%- endfor %}
select {{ rule['column'] }}, {{ other }}
from {{ rule['subject'] }}
where {{ rule['column'] }} is not null
    and {{ other }} is not null
    and ({{ rule['column'] }}, {{ other }}) not in ({{ listed | join(', ') }})
{% endtest %}
