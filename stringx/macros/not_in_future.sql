{#- No time later than now, or than `offset` seconds from now. -#}
{% test not_in_future(model, column_name=none, offset=0) %}
{%- set rule = sx_rule(model, column_name, {'offset': offset}) %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where {{ rule['column'] }} > current_timestamp + {{
    sx_interval('second', rule['arguments']['offset'])
}}
{% endtest %}
