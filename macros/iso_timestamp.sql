{# A UTC timestamp as ISO-8601 text, with a fraction only where there is one. #}
{% macro iso_timestamp(column) %}
    case
        when date_part('microsecond', {{ column }}) % 1000000 = 0 then strftime({{ column }}, '%Y-%m-%dT%H:%M:%SZ')
        else strftime({{ column }}, '%Y-%m-%dT%H:%M:%S.%fZ')
    end
{% endmacro %}
