{# Most of a store's products read 0 at once and then as before: the store was closed or disconnected. One anomaly for each
   closure, not for each product. #}
{% macro rule__quantity__closed_store() %}
    select
        suspect_readings.store_location,
        cast(null as varchar) as category,
        cast(null as varchar) as product_id,
        min(suspect_readings.event_timestamp) as event_timestamp,
        count(distinct suspect_readings.product_id) as observed_value,
        any_value(store_closures.fallen_share) as score,
        concat(
            strftime(min(suspect_readings.event_timestamp), '%-d %B %H:%M'), ' to ',
            strftime(max(suspect_readings.suspect_until), '%-d %B %H:%M')
        ) as evidence
    from suspect_readings
    inner join store_closures
        on
            suspect_readings.store_location = store_closures.store_location
            and suspect_readings.closed_from = store_closures.closed_from
    where suspect_readings.reason = 'closed store'
    group by suspect_readings.store_location, suspect_readings.closed_from
{% endmacro %}
