{#- Of the columns, `all`, `any` or `exactly_one` have a value in every row. -#}
{% test required_together(model, columns=[], required='all') %}
{%- set rule = sx_rule(model, none, {'columns': columns, 'required': required}) %}
{%- set names = sx_column_list(rule, rule['arguments']['columns']) %}
{%- set violated = {
    'all': 'num_nulls(' ~ names ~ ') > 0',
    'any': 'num_nonnulls(' ~ names ~ ') = 0',
    'exactly_one': 'num_nonnulls(' ~ names ~ ') <> 1',
} %}
select {{ names }}
from {{ rule['subject'] }}
where {{ violated[rule['arguments']['required']] }}
{% endtest %}
