with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

conflicting_reading as (

    select
        'conflicting_reading' as rule_id,
        store_location,
        category,
        product_id,
        event_timestamp,
        cast(content_count as double) as reading_value,
        cast(content_count as double) as observed_value
    from levels
    where content_count > 1

),

last_readings as (

    select
        store_location,
        product_id,
        category,
        event_timestamp as last_reading_at
    from levels
    where next_reading_at is null

),

stale_feed as (

    select
        'stale_feed' as rule_id,
        last_readings.store_location,
        last_readings.category,
        last_readings.product_id,
        as_of.as_of as event_timestamp,
        (epoch_us(as_of.as_of) - epoch_us(last_readings.last_reading_at)) / 3600e6 as reading_value,
        reading_value as observed_value
    from last_readings
    cross join as_of
    where last_readings.last_reading_at < as_of.as_of - interval '{{ var("stale_after") }}'

),

final as (

    select * from conflicting_reading
    union all
    select * from stale_feed

)

select * from final
