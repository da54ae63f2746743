{#- The ranges from `lower_column` to `upper_column` do not overlap; `gaps` between them are allowed,
    not_allowed or required. A range with NULL at an end, or whose ends are in the wrong order (or
    equal, unless `zero_length_allowed`), fails too. -#}
{% test mutually_exclusive_ranges(
    model,
    lower_column=none,
    upper_column=none,
    partition_by=[],
    gaps='allowed',
    zero_length_allowed=false
) %}
{%- set rule = sx_rule(model, none, {
    'lower_column': lower_column,
    'upper_column': upper_column,
    'partition_by': partition_by,
    'gaps': gaps,
    'zero_length_allowed': zero_length_allowed,
}) %}
{%- set arguments = rule['arguments'] %}
{%- set lower = sx_column(rule, arguments['lower_column']) %}
{%- set upper = sx_column(rule, arguments['upper_column']) %}
{%- set partition = sx_partition(rule, arguments['partition_by']) %}
{%- set operators = {'allowed': '<=', 'not_allowed': '=', 'required': '<'} %}
{%- if execute and arguments['gaps'] not in operators %}
    {%- do exceptions.raise_compiler_error(
        'mutually_exclusive_ranges: gaps is allowed, not_allowed or required'
    ) %}
{%- endif %}
select lower_end, upper_end, next_lower_end
from (
    select
        {{ lower }} as lower_end,
        {{ upper }} as upper_end,
        lead({{ lower }}) over ({{ partition }}order by {{ lower }}, {{ upper }}) as next_lower_end,
        row_number() over (
            {{ partition }}order by {{ lower }} desc, {{ upper }} desc
        ) = 1 as is_last
    from {{ rule['subject'] }}
) ranges
where not (
    coalesce(lower_end {{ '<=' if arguments['zero_length_allowed'] else '<' }} upper_end, false)
    and coalesce(upper_end {{ operators[arguments['gaps']] }} next_lower_end, is_last, false)
)
{% endtest %}
