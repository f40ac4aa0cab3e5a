{# Two devices that report one product, or two movements within one clock tick; the later arrival is believed. #}
{% macro rule__feed__conflicting_reading() %}
    select
        store_location,
        arg_max(category, arrival) as category,
        product_id,
        event_timestamp,
        count(*) as reading_value,
        count(*) as observed_value,
        null as evidence
    from distinct_readings
    group by store_location, product_id, event_timestamp
    having count(*) > 1
{% endmacro %}
