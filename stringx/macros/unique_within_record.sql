{#- No two of the columns have the same value in a row. -#}
{% test unique_within_record(model, columns=[]) %}
{%- set rule = sx_rule(model, none, {'columns': columns}) %}
{%- set names = rule['arguments']['columns'] or [] %}
{%- set equal = [] %}
{%- for name in names %}
    {%- for other in names[loop.index:] %}
        {%- do equal.append(sx_column(rule, name) ~ ' = ' ~ sx_column(rule, other)) %}
    {%- endfor %}
{%- endfor %}
select {{ sx_column_list(rule, names) }}
from {{ rule['subject'] }}
where {{ equal | join(' or ') or 'false' }}
{% endtest %}
