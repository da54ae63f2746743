{#- The columns add up to `sum_total`, or to the column `total_column`, give or take `tolerance`: in
    each row, or, with `per: table`, in their sums over all rows. -#}
{% test multicolumn_sum_equals(
    model, columns=[], sum_total=none, total_column=none, tolerance=0, per='row'
) %}
{%- set rule = sx_rule(model, none, {
    'columns': columns,
    'sum_total': sum_total,
    'total_column': total_column,
    'tolerance': tolerance,
    'per': per,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set names = [] %}
{%- for column in arguments['columns'] or [] %}
    {%- do names.append(sx_column(rule, column)) %}
{%- endfor %}
{%- set total = sx_lit(arguments['sum_total']) %}
{%- if arguments['total_column'] is not none %}
    {%- set total = sx_column(rule, arguments['total_column']) %}
{%- endif %}
{%- if arguments['per'] == 'row' %}
select {{ names | join(', ') }}
from {{ rule['subject'] }}
where {{ sx_apart(names | join(' + '), total, arguments['tolerance']) }}
{%- else %}
{%- set sums = [] %}
select {% for name in names %}{% do sums.append('sum_' ~ loop.index) %}sum_{{ loop.index }}, {% endfor %}total
from (
    select
        {%- for name in names %}
        sum({{ name }}) as sum_{{ loop.index }},
        {%- endfor %}
        {{ 'max' if arguments['total_column'] is none else 'sum' }}({{ total }}) as total
    from {{ rule['subject'] }}
) sums
where {{ sx_apart(sums | join(' + '), 'total', arguments['tolerance']) }}
{%- endif %}
{% endtest %}

{#- The condition that two numbers are further apart than `tolerance`. -#}
{% macro sx_apart(one, other, tolerance) %}
    {%- if tolerance -%}
        {%- do return('abs((' ~ one ~ ') - ' ~ other ~ ') > ' ~ sx_lit(tolerance)) -%}
    {%- endif -%}
    {%- do return('not ((' ~ one ~ ') = ' ~ other ~ ')') -%}
{% endmacro %}
