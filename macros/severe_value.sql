{# From which value at risk on something is severe in a store whose stock is worth that much; from a tenth on it is medium. #}
{% macro severe_value(stock_value) -%}
    greatest({{ var('severe_share') }} * {{ stock_value }}, {{ var('severe_value') }})
{%- endmacro %}
