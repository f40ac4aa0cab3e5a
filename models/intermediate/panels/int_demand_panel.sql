{{ config(materialized='view', tags=['across_stores']) }}

with

daily_stock as (

    select * from {{ ref('int_daily_stock') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- a day that is not over yet has more to come, and a day without a reading tells nothing
categories as (

    select
        daily_stock.store_location,
        daily_stock.category,
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

),

stores as (

    select
        store_location,
        ds,
        avg(avg_price) as avg_price,
        sum(y) as y
    from categories
    group by store_location, ds

),

final as (

    select
        *,
        {{ series_id('store_location', 'category') }} as unique_id,
        store_location as store_peers,
        category as category_peers
    from categories
    union all by name
    -- Its categories are no peers of a store: its fault is theirs too. It takes two other stores to tell it from a
    -- holiday.
    select
        *,
        {{ series_id('store_location', "''") }} as unique_id,
        'all of a store' as category_peers
    from stores
    where (select count(distinct categories.store_location) from categories) > 2

)

select * from final
