{#- The rows of another table that a rule compares with: the table that an argument names, narrowed
    by predicates. The scope of a request does not narrow it. -#}
{% macro sx_compared(rule, table, predicates) %}
    {%- set relation = sx_relation(table) if rule['in_meta'] else table -%}
    {%- set conditions = [] -%}
    {%- for predicate in predicates or [] -%}
        {%- do conditions.append(sx_predicate(predicate)) -%}
    {%- endfor -%}
    {%- if not conditions -%}
        {%- do return(relation) -%}
    {%- endif -%}
    {%- do return(
        '(select * from ' ~ relation ~ ' where ' ~ conditions | join(' and ') ~ ') sx_compared'
    ) -%}
{% endmacro %}
