{# Fails on each value below the lower or above the upper bound, each a number or another column; empty values pass. #}
{% test within(model, column_name, lower=none, upper=none) %}
    select {{ column_name }}
    from {{ model }}
    where
        {{ column_name }} < {{ lower if lower is not none else column_name }}
        or {{ column_name }} > {{ upper if upper is not none else column_name }}
{% endtest %}
