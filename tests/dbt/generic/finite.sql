{# Fails on each value that is no number or infinite, as a division by zero would give; empty values pass. #}
{% test finite(model, column_name) %}
    select {{ column_name }}
    from {{ model }}
    where not isfinite(cast({{ column_name }} as double))
{% endtest %}
