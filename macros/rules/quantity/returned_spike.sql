{# A level that shot up and came straight back was never on the shelf. It is told from the reading after it. #}
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
