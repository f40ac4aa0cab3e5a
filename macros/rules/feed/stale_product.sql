{# A product that is silent while its store sends: for longer than the tables call stale, and for longer than its own
   longest gap of the last quarter. Fewer than ten readings in the quarter are too few to know its usual gaps. #}
{% macro rule__feed__stale_product() %}
    select
        store_location,
        category,
        product_id,
        last_reading_at as event_timestamp,
        silent_us / 3600e6 as observed_value,
        silent_us / quarter_longest_gap_us as score,
        null as evidence
    from (
        select
            *,
            epoch_us(max(last_reading_at) over (partition by store_location)) - epoch_us(last_reading_at) as silent_us
        from product_history
    )
    where
        silent_us > epoch_us(interval '{{ var("stale_after") }}')
        and quarter_reading_count >= 10
{% endmacro %}
