with

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

store_days as (

    select
        store_location,
        event_date,
        max(last_reading_at) as last_reading_at
    from product_daily
    group by store_location, event_date

),

gaps as (

    select
        *,
        event_date - lag(event_date) over (
            partition by store_location
            order by event_date
        ) as gap_days,
        max(event_date) over (partition by store_location) as last_date
    from store_days

),

final as (

    select
        gaps.store_location,
        max(gaps.last_reading_at) as last_reading_at,
        (epoch_us(any_value(as_of.as_of)) - epoch_us(max(gaps.last_reading_at))) / 86400e6 as silent_days,
        -- the quarter before it fell silent
        max(gaps.gap_days) filter (where gaps.event_date > gaps.last_date - 90) as longest_gap_days
    from gaps
    cross join as_of
    group by gaps.store_location

)

select * from final
