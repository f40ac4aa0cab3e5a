{# A shelf that held far more than goes out at once read 0 and then about as before: it was never empty. One anomaly,
   however often it read 0. #}
{% macro rule__quantity__returned_dip() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity_before as observed_value,
        observed_value as score,
        null as evidence
    from suspect_readings
    where
        reason = 'dip'
        and event_timestamp = suspect_from
{% endmacro %}
