{#- The table has as many columns as the other one. One row where it has not. -#}
{% test column_count_equals_other_table(model, compare_model=none) %}
{%- set rule = sx_rule(model, none, {'compare_model': compare_model}) %}
select n_columns, n_compared
from (select count(*) as n_columns from {{ sx_attributes(rule['relation']) }}) here
cross join (
    select count(*) as n_compared
    from {{ sx_attributes(sx_compared(rule, rule['arguments']['compare_model'], [])) }}
) there
where n_columns <> n_compared
{% endtest %}

{#- The columns of a relation, {name, type}, as something that can stand after FROM. -#}
{% macro sx_attributes(relation) %}
    {%- do return(
        '(select attname::text as name, format_type(atttypid, atttypmod) as type '
        ~ 'from pg_catalog.pg_attribute where attrelid = ' ~ sx_lit(relation | string)
        ~ '::regclass and attnum > 0 and not attisdropped) sx_attributes'
    ) -%}
{% endmacro %}
