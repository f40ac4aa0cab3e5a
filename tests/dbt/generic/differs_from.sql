{# Fails on each value that is that of the other column as well; empty values pass. #}
{% test differs_from(model, column_name, other) %}
    select {{ column_name }}
    from {{ model }}
    where {{ column_name }} = {{ other }}
{% endtest %}
