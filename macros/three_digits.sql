{# A number as people read it: three digits, and whole from a hundred on. #}
{% macro three_digits(number) %}
    case when abs({{ number }}) >= 100 then format('{:,.0f}', {{ number }}) else format('{:.3g}', {{ number }}) end
{%- endmacro %}
