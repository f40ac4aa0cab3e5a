with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- this week and the one before it
days as (

    select
        as_of.as_of,
        {{ day_of('as_of.as_of') }} - cast(numbers.days_ago as integer) as event_date,
        cast(numbers.days_ago // 7 as integer) as weeks_ago
    from as_of
    cross join range(14) as numbers (days_ago)

),

empty_intervals as (

    select
        store_location,
        product_id,
        event_timestamp,
        next_reading_at
    from levels
    where stock_level = 0 and not is_suspect

),

empty_days as (

    select
        empty_intervals.store_location,
        empty_intervals.product_id,
        days.event_date,
        days.weeks_ago,
        cast(
            sum(
                epoch_us(
                    least(
                        coalesce(empty_intervals.next_reading_at, days.as_of),
                        cast(days.event_date + 1 as timestamp),
                        days.as_of
                    )
                )
                - epoch_us(greatest(empty_intervals.event_timestamp, cast(days.event_date as timestamp)))
            ) as bigint
        ) as empty_us
    from empty_intervals
    inner join days
        on
            empty_intervals.event_timestamp < least(cast(days.event_date + 1 as timestamp), days.as_of)
            and coalesce(empty_intervals.next_reading_at, days.as_of) > cast(days.event_date as timestamp)
    group by
        empty_intervals.store_location,
        empty_intervals.product_id,
        days.event_date,
        days.weeks_ago

),

final as (

    select
        empty_days.store_location,
        current_stock.category,
        empty_days.product_id,
        current_stock.product_name,
        empty_days.event_date,
        empty_days.weeks_ago,
        empty_days.empty_us / 3600e6 as out_of_stock_hours,
        empty_days.empty_us / 86400e6 * current_stock.daily_units_out as lost_units,
        empty_days.empty_us / 86400e6 * current_stock.daily_units_out * current_stock.price as lost_value
    from empty_days
    inner join current_stock
        on
            empty_days.store_location = current_stock.store_location
            and empty_days.product_id = current_stock.product_id
    -- what nobody has asked for in four weeks is not missed
    where current_stock.daily_units_out > 0

)

select * from final
