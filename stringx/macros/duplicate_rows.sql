{#- No row stands twice, the excluded columns left aside. One row for each that does. Rows are
    compared as jsonb, in which 1 and 1.0 are equal, as are NULLs. `sx_row.*` is the
    row, whatever its columns are called. -#}
{% test duplicate_rows(model, exclude_columns=[]) %}
{%- set rule = sx_rule(model, none, {'exclude_columns': exclude_columns}) %}
{%- set excluded = rule['arguments']['exclude_columns'] or [] %}
select whole_row, count(*) as n_records
from (
    select to_jsonb(sx_row.*){% if excluded %} - array[{{ sx_lits(excluded) }}]{% endif %} as whole_row
    from (select * from {{ rule['subject'] }}) sx_row
) whole_rows
group by whole_row
having count(*) > 1
{% endtest %}
