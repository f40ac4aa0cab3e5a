with

distinct_readings as (

    select * from {{ ref('int_distinct_readings') }}

),

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
        arg_max(category, arrival) as category,
        product_id,
        event_timestamp,
        cast(count(*) as double) as reading_value,
        cast(count(*) as double) as observed_value
    from distinct_readings
    group by store_location, product_id, event_timestamp
    having count(*) > 1

),

last_readings as (

    select
        store_location,
        product_id,
        arg_max(category, event_timestamp) as category,
        max(event_timestamp) as last_reading_at
    from levels
    group by store_location, product_id

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
