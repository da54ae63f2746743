{#- What a test checks, in SQL: {relation, subject, column, arguments, in_meta}. The subject are the
    rows of the relation that the rule looks at.

    With dbt alone a test gets its arguments by name, and a column is whatever dbt makes of it. From
    StringX nothing comes by name: the rule stands in `config.meta.stringx` as
    {relation: {schema, identifier}, column, arguments, where}, or that as JSON, because dbt renders
    named arguments as templates and pastes them into SQL. While dbt parses it shows no meta. -#}
{% macro sx_rule(model, column_name, arguments) %}
    {%- set meta = config.get('meta') or {} -%}
    {%- set rule = meta.get('stringx') if execute else none -%}
    {%- if rule is string -%}
        {%- set rule = fromjson(rule) -%}
    {%- endif -%}
    {%- if rule is none or rule is undefined -%}
        {%- do return({
            'relation': model,
            'subject': sx_subject(model, []),
            'column': column_name,
            'arguments': arguments,
            'in_meta': false,
        }) -%}
    {%- endif -%}
    {%- set merged = {} -%}
    {%- do merged.update(arguments) -%}
    {%- do merged.update(rule.get('arguments') or {}) -%}
    {%- set relation = sx_relation(rule['relation']) -%}
    {%- do return({
        'relation': relation,
        'subject': sx_subject(relation, rule.get('where') or []),
        'column': sx_id(rule['column']) if rule.get('column') is not none else none,
        'arguments': merged,
        'in_meta': true,
    }) -%}
{% endmacro %}

{#- "schema"."identifier" -#}
{% macro sx_relation(relation) %}
    {%- do return(sx_id(relation['schema']) ~ '.' ~ sx_id(relation['identifier'])) -%}
{% endmacro %}

{#- The rows to check: the relation, narrowed by the rule's predicates and by those of the request
    (`--vars '{stringx_scope: [{column: …, op: …, value: …}]}'`).

    Where SQL is compiled once for many requests, `stringx_scope_marker` names a marker that stands,
    as a quoted identifier, for the conditions that each of them will bring. -#}
{% macro sx_subject(relation, predicates) %}
    {%- set scope = var('stringx_scope', []) -%}
    {%- if scope is string -%}
        {%- set scope = fromjson(scope) -%}
    {%- endif -%}
    {%- set conditions = [] -%}
    {%- for predicate in predicates -%}
        {%- do conditions.append(sx_predicate(predicate)) -%}
    {%- endfor -%}
    {%- for predicate in scope or [] -%}
        {%- do conditions.append(sx_predicate(predicate)) -%}
    {%- endfor -%}
    {%- set marker = var('stringx_scope_marker', none) -%}
    {%- if marker is not none -%}
        {%- if not modules.re.fullmatch('[A-Za-z0-9_]+', marker | string) -%}
            {%- do exceptions.raise_compiler_error(
                'stringx_scope_marker: letters, digits and underscores only'
            ) -%}
        {%- endif -%}
        {%- do conditions.append(sx_id(marker)) -%}
    {%- endif -%}
    {%- if not conditions -%}
        {%- do return(relation) -%}
    {%- endif -%}
    {%- do return(
        '(select * from ' ~ relation ~ ' where ' ~ conditions | join(' and ') ~ ') sx_subject'
    ) -%}
{% endmacro %}

{#- A column as it stands in the arguments: quoted where it came from StringX. -#}
{% macro sx_column(rule, name) %}
    {%- do return(sx_id(name) if rule['in_meta'] else name) -%}
{% endmacro %}
