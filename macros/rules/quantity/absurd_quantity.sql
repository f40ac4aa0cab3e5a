{# More than any shelf holds, above or below zero: a barcode scanned into the quantity, or a number that overflowed. #}
{% macro rule__quantity__absurd_quantity() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as reading_value,
        observed_value,
        null as evidence
    from suspect_readings
    where reason = 'out of range'
{% endmacro %}
