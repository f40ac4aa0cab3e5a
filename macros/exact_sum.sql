{# A sum of fractions that does not depend on the order of addition; a sum of floats would differ in its last digits. #}
{% macro exact_sum(expression) %}
    cast(sum(cast({{ expression }} as decimal(38, 9))) as double)
{%- endmacro %}
