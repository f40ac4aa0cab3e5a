{# A sum of fractions that is the same in whatever order they are added: floats would differ in their last digits. #}
{% macro exact_sum(expression) %}
    cast(sum(cast({{ expression }} as decimal(38, 9))) as double)
{%- endmacro %}
