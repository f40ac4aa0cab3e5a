{# The column as it was in the last believed reading before: two readings in a row are never both suspect. #}
{% macro believed_before(column) -%}
    case
        when lag(is_suspect) over product_readings then lag({{ column }}, 2) over product_readings
        else lag({{ column }}) over product_readings
    end
{%- endmacro %}
