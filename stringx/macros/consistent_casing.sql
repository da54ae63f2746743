{#- Texts in one `case`: upper, lower or title. Without it: no text that is written in several; one
    row for each that is. -#}
{% test consistent_casing(model, column_name=none, case=none) %}
{%- set rule = sx_rule(model, column_name, {'case': case}) %}
{%- set column = rule['column'] %}
{%- set case = rule['arguments']['case'] %}
{%- if case is none %}
select lower({{ column }}) as spelling, count(distinct {{ column }}) as n_spellings
from {{ rule['subject'] }}
where {{ column }} is not null
group by lower({{ column }})
having count(distinct {{ column }}) > 1
{%- else %}
select {{ column }}
from {{ rule['subject'] }}
where {{ column }} <> {{ {'upper': 'upper', 'lower': 'lower', 'title': 'initcap'}[case] }}({{ column }})
{%- endif %}
{% endtest %}
