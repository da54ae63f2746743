{#- No row is older than `interval` dateparts. -#}
{% test retention(model, column_name=none, datepart=none, interval=none) %}
{%- set rule = sx_rule(model, column_name, {'datepart': datepart, 'interval': interval}) %}
{%- set arguments = rule['arguments'] %}
select {{ rule['column'] }}
from {{ rule['subject'] }}
where {{ rule['column'] }}
    < current_timestamp - {{ sx_interval(arguments['datepart'], arguments['interval']) }}
{% endtest %}
