{# A level that shot up and came straight back was never on the shelf. The reading after it proves it. #}
{% macro rule__quantity__returned_spike() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as observed_value,
        observed_value as score,
        null as evidence
    from suspect_readings
    where reason = 'spike'
{% endmacro %}
