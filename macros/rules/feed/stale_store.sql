{# A store that has sent nothing for longer than its own longest gap in the last quarter, and not so long that it is missing. #}
{% macro rule__feed__stale_store() %}
    select
        store_location,
        cast(null as varchar) as category,
        cast(null as varchar) as product_id,
        last_reading_at as event_timestamp,
        silent_days * 24 as observed_value,
        silent_days / longest_gap_days as score,
        null as evidence
    from store_history
    where silent_days / longest_gap_days < {{ rule_threshold('missing_store') }}
{% endmacro %}
