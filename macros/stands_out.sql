{# Which readings int_reading_history keeps, or which days int_day_history: those that one of the rules could name, for they
   break a record or are odd by themselves. What falls into the usual is most of all rows, and costs nothing further.

   A rule on single readings (or days) says so in its file, in a macro reading_stands_out__<family>__<rule_id>
   (day_stands_out__…): a condition on the columns that the model has measured. #}
{% macro stands_out(kind) %}
    {%- set conditions = [] -%}
    {%- for name in context if name.startswith(kind ~ '_stands_out__') -%}
        {%- do conditions.append('(' ~ context[name]() | trim ~ ')') -%}
    {%- endfor -%}
    ({{ conditions | sort | join(' or ') }})
{%- endmacro %}
