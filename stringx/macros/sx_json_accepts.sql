{#- Whether the schema accepts a jsonb value that is not NULL, as SQL that is never NULL. Words of the
    schema that are not read here are annotations to it, as JSON Schema has it. `depth` makes names
    of rows that do not hide one another. -#}
{% macro sx_json_accepts(value, schema, depth) %}
    {%- if schema is boolean -%}
        {%- do return('true' if schema else 'false') -%}
    {%- endif -%}
    {%- set parts = [] -%}
    {%- if 'type' in schema -%}
        {%- do parts.append(sx_json_is_of_type(value, schema['type'])) -%}
    {%- endif -%}
    {%- if 'enum' in schema -%}
        {%- set listed = [] -%}
        {%- for one in schema['enum'] -%}
            {%- do listed.append(sx_json_lit(one)) -%}
        {%- endfor -%}
        {%- do parts.append(value ~ ' in (' ~ listed | join(', ') ~ ')') -%}
    {%- endif -%}
    {%- if 'const' in schema -%}
        {%- do parts.append(value ~ ' = ' ~ sx_json_lit(schema['const'])) -%}
    {%- endif -%}
    {%- for kind, conditions in [
        ('number', sx_json_of_number(value, schema)),
        ('string', sx_json_of_string(value, schema)),
        ('array', sx_json_of_array(value, schema, depth)),
        ('object', sx_json_of_object(value, schema, depth)),
    ] -%}
        {%- if conditions -%}
            {%- do parts.append(
                'case when jsonb_typeof(' ~ value ~ ") = '" ~ kind ~ "' then "
                ~ conditions | join(' and ') ~ ' else true end'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do parts.extend(sx_json_combined(value, schema, depth)) -%}
    {%- do return('(' ~ (parts | join(' and ') or 'true') ~ ')') -%}
{% endmacro %}

{#- A JSON value as a literal of type jsonb. -#}
{% macro sx_json_lit(value) %}
    {%- do return(sx_lit(tojson(value)) ~ '::jsonb') -%}
{% endmacro %}

{#- A jsonb text or number as a text of SQL. -#}
{% macro sx_json_text(value) %}
    {%- do return('(' ~ value ~ " #>> '{}')") -%}
{% endmacro %}

{#- One type or several. A number without a fraction is an integer, however it is written. -#}
{% macro sx_json_is_of_type(value, types) %}
    {%- set found = [] -%}
    {%- for type in ([types] if types is string else types) -%}
        {%- if type == 'integer' -%}
            {%- do found.append(
                'case when jsonb_typeof(' ~ value ~ ") = 'number' then "
                ~ sx_json_text(value) ~ '::numeric % 1 = 0 else false end'
            ) -%}
        {%- else -%}
            {%- do found.append('jsonb_typeof(' ~ value ~ ') = ' ~ sx_lit(type)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return('(' ~ found | join(' or ') ~ ')') -%}
{% endmacro %}

{% macro sx_json_of_number(value, schema) %}
    {%- set number = sx_json_text(value) ~ '::numeric' -%}
    {%- set conditions = [] -%}
    {%- for word, operator in [
        ('minimum', '>='), ('maximum', '<='), ('exclusiveMinimum', '>'), ('exclusiveMaximum', '<'),
    ] -%}
        {%- if word in schema -%}
            {%- do conditions.append(
                number ~ ' ' ~ operator ~ ' ' ~ sx_lit(schema[word] | string) ~ '::numeric'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if 'multipleOf' in schema -%}
        {%- do conditions.append(
            number ~ ' % ' ~ sx_lit(schema['multipleOf'] | string) ~ '::numeric = 0'
        ) -%}
    {%- endif -%}
    {%- do return(conditions) -%}
{% endmacro %}

{% macro sx_json_of_string(value, schema) %}
    {%- set text = sx_json_text(value) -%}
    {%- set conditions = [] -%}
    {%- if 'minLength' in schema -%}
        {%- do conditions.append('char_length(' ~ text ~ ') >= ' ~ sx_lit(schema['minLength'])) -%}
    {%- endif -%}
    {%- if 'maxLength' in schema -%}
        {%- do conditions.append('char_length(' ~ text ~ ') <= ' ~ sx_lit(schema['maxLength'])) -%}
    {%- endif -%}
    {%- if 'pattern' in schema -%}
        {%- do conditions.append(text ~ ' ~ ' ~ sx_lit(schema['pattern'])) -%}
    {%- endif -%}
    {%- do return(conditions) -%}
{% endmacro %}

{% macro sx_json_of_array(value, schema, depth) %}
    {%- set each = 'sx_item_' ~ depth -%}
    {%- set items = 'jsonb_array_elements(' ~ value ~ ') ' ~ each ~ ' (value)' -%}
    {%- set conditions = [] -%}
    {%- if 'minItems' in schema -%}
        {%- do conditions.append(
            'jsonb_array_length(' ~ value ~ ') >= ' ~ sx_lit(schema['minItems'])
        ) -%}
    {%- endif -%}
    {%- if 'maxItems' in schema -%}
        {%- do conditions.append(
            'jsonb_array_length(' ~ value ~ ') <= ' ~ sx_lit(schema['maxItems'])
        ) -%}
    {%- endif -%}
    {%- if schema.get('uniqueItems') -%}
        {%- do conditions.append(
            '(select count(*) = count(distinct ' ~ each ~ '.value) from ' ~ items ~ ')'
        ) -%}
    {%- endif -%}
    {%- for word, quantor in [('items', 'not exists'), ('contains', 'exists')] -%}
        {%- if word in schema -%}
            {%- set accepts = sx_json_accepts(each ~ '.value', schema[word], depth + 1) -%}
            {%- do conditions.append(
                quantor ~ ' (select from ' ~ items ~ ' where '
                ~ ('not ' if word == 'items' else '') ~ accepts ~ ')'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return(conditions) -%}
{% endmacro %}

{% macro sx_json_of_object(value, schema, depth) %}
    {%- set each = 'sx_field_' ~ depth -%}
    {%- set properties = schema.get('properties') or {} -%}
    {%- set conditions = [] -%}
    {%- if schema.get('required') -%}
        {%- do conditions.append(value ~ ' ?& array[' ~ sx_lits(schema['required']) ~ ']') -%}
    {%- endif -%}
    {%- for name, below in properties.items() -%}
        {%- set field = '(' ~ value ~ ' -> ' ~ sx_lit(name) ~ ')' -%}
        {%- do conditions.append(
            'case when ' ~ value ~ ' ? ' ~ sx_lit(name) ~ ' then '
            ~ sx_json_accepts(field, below, depth + 1) ~ ' else true end'
        ) -%}
    {%- endfor -%}
    {%- set others = value -%}
    {%- if properties -%}
        {%- set others = '(' ~ value ~ ' - array[' ~ sx_lits(properties.keys() | list) ~ '])' -%}
    {%- endif -%}
    {%- if 'additionalProperties' in schema -%}
        {%- if schema['additionalProperties'] is boolean -%}
            {%- if not schema['additionalProperties'] -%}
                {%- do conditions.append(others ~ " = '{}'::jsonb") -%}
            {%- endif -%}
        {%- else -%}
            {%- do conditions.append(
                'not exists (select from jsonb_each(' ~ others ~ ') ' ~ each ~ ' (name, value) where '
                ~ 'not ' ~ sx_json_accepts(each ~ '.value', schema['additionalProperties'], depth + 1)
                ~ ')'
            ) -%}
        {%- endif -%}
    {%- endif -%}
    {%- for word, operator in [('minProperties', '>='), ('maxProperties', '<=')] -%}
        {%- if word in schema -%}
            {%- do conditions.append(
                '(select count(*) from jsonb_object_keys(' ~ value ~ ')) ' ~ operator ~ ' '
                ~ sx_lit(schema[word])
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return(conditions) -%}
{% endmacro %}

{#- Schemas of schemas: allOf, anyOf, oneOf, not. -#}
{% macro sx_json_combined(value, schema, depth) %}
    {%- set conditions = [] -%}
    {%- for word, joint in [('allOf', ' and '), ('anyOf', ' or '), ('oneOf', ' + ')] -%}
        {%- if word in schema -%}
            {%- set parts = [] -%}
            {%- for below in schema[word] -%}
                {%- set accepts = sx_json_accepts(value, below, depth + 1) -%}
                {%- do parts.append(accepts ~ '::int' if word == 'oneOf' else accepts) -%}
            {%- endfor -%}
            {%- set all = '(' ~ parts | join(joint) ~ ')' -%}
            {%- do conditions.append(all ~ ' = 1' if word == 'oneOf' else all) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if 'not' in schema -%}
        {%- do conditions.append('not ' ~ sx_json_accepts(value, schema['not'], depth + 1)) -%}
    {%- endif -%}
    {%- do return(conditions) -%}
{% endmacro %}
