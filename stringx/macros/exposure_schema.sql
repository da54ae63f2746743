{#- The columns on which someone relies ({name, type}) are there, and of the type that is given. One
    row for each that is not. -#}
{% test exposure_schema(model, exposure=none, needed_columns=[]) %}
{%- set rule = sx_rule(model, none, {'exposure': exposure, 'needed_columns': needed_columns}) %}
{%- set rows = [] %}
{%- for column in rule['arguments']['needed_columns'] or [] %}
    {%- do rows.append('(' ~ sx_lit(column['name']) ~ ', ' ~ sx_lit(column.get('type')) ~ ')') %}
{%- endfor %}
select needed.name, needed.type, sx_attributes.type as found
from (values {{ rows | join(', ') }}) needed (name, type)
left join {{ sx_attributes(rule['relation']) }} on sx_attributes.name = needed.name
where sx_attributes.name is null
    or sx_attributes.type <> needed.type
{% endtest %}
