{{ config(materialized='view') }}

with

daily_stock as (

    select * from {{ ref('int_daily_stock') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- a day that is not over yet has more to come, and a day without a reading tells nothing
final as (

    select
        daily_stock.store_location,
        daily_stock.category,
        {{ series_id('daily_stock.store_location', 'daily_stock.category') }} as unique_id,
        cast(daily_stock.event_date as timestamp) as ds,
        daily_stock.avg_price,
        case
            when {{ day_of('daily_stock.last_reading_at') }} = daily_stock.event_date
                then cast(daily_stock.units_out as double)
        end as y
    from daily_stock
    cross join as_of
    where
        daily_stock.event_date + interval '1 day' <= as_of.as_of
        and daily_stock.event_date >= cast(as_of.as_of as date) - {{ var('model_history_days') }}

)

select * from final
