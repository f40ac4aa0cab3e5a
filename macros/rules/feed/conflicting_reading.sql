{# Two devices that report one product, or two movements within one clock tick; the later arrival is accepted. #}
{% macro rule__feed__conflicting_reading() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        version_count as observed_value,
        version_count as score,
        null as evidence
    from accepted_readings
    where version_count > 1
{% endmacro %}
