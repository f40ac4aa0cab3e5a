{# Which readings int_readings_for_rules keeps, or which days int_days_for_rules: those that some rule looks at. Most rows
   are as usual, so that no rule has to go over them.

   A rule on single readings (or days) has a macro keep_reading__<family>__<rule_id> (keep_day__…) in its file: a condition
   on the columns that the model has measured. #}
{% macro kept_for_rules(kind) %}
    {%- set conditions = [] -%}
    {%- for name in context if name.startswith('keep_' ~ kind ~ '__') -%}
        {%- do conditions.append('(' ~ context[name]() | trim ~ ')') -%}
    {%- endfor -%}
    ({{ conditions | sort | join(' or ') }})
{%- endmacro %}
