{# A device whose clock runs ahead. A reading up to five minutes ahead is accepted, with a timestamp in the future. A
   message further ahead is quarantined, so the rule names it by the fields of the raw message. #}
{% macro rule__feed__future_clock() %}
    select
        store_location,
        any_value(category order by arrival) as category,
        product_id,
        event_timestamp,
        max(epoch_us(event_timestamp) - epoch_us(published_at)) / 60e6 as observed_value,
        observed_value as score,
        strftime(event_timestamp, '%Y-%m-%d %H:%M') as evidence
    from readings
    where
        event_timestamp > published_at
        and event_timestamp <= (select as_of.as_of from as_of)
    group by store_location, product_id, event_timestamp

    union all

    select
        store_location,
        min(category) as category,
        product_id,
        min(published_at) as event_timestamp,
        max(minutes_ahead) as observed_value,
        max(minutes_ahead) as score,
        strftime(max(claimed_at), '%Y-%m-%d %H:%M') as evidence
    from (
        select
            message ->> 'store_location' as store_location,
            message ->> 'category' as category,
            message ->> 'product_id' as product_id,
            published_at,
            {{ utc("try_cast(message ->> 'event_timestamp' as timestamptz)") }} as claimed_at,
            (epoch_us(claimed_at) - epoch_us(published_at)) / 60e6 as minutes_ahead
        from (
            select
                published_at,
                try_cast(rejected_text as json) as message
            from messages
            where rejection_reason like 'future_timestamp:%'
        )
    )
    where minutes_ahead is not null
    group by store_location, product_id, cast(published_at as date)
{% endmacro %}
