{# A store that has been silent for many times its own longest gap of the quarter before. #}
{% macro rule__feed__missing_store() %}
    select
        store_location,
        cast(null as varchar) as category,
        cast(null as varchar) as product_id,
        last_reading_at as event_timestamp,
        silent_days * 24 as observed_value,
        silent_days / longest_gap_days as score,
        null as evidence
    from store_history
{% endmacro %}
