{{ config(materialized='view') }}

with

daily_stock as (

    select * from {{ ref('int_daily_stock') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- a day that is not over yet has no closing level
final as (

    select
        daily_stock.store_location,
        {{ series_id('daily_stock.store_location', 'daily_stock.category') }} as unique_id,
        cast(daily_stock.event_date as timestamp) as ds,
        cast(daily_stock.total_quantity as double) as y
    from daily_stock
    cross join as_of
    where
        daily_stock.event_date + interval '1 day' <= as_of.as_of
        and daily_stock.event_date >= cast(as_of.as_of as date) - {{ var('model_history_days') }}

)

select * from final
