{# Two devices that report one product, or two movements within one clock tick; the later arrival is believed. #}
{% macro rule__feed__conflicting_reading() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        content_count as reading_value,
        content_count as observed_value,
        null as evidence
    from levels
    where content_count > 1
{% endmacro %}
