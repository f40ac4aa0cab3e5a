{{ config(materialized='view', tags=['across_stores']) }}

with

panel as (

    select * from {{ ref('int_store_category_panel') }}

),

store_calendar as (

    select * from {{ ref('int_store_calendar') }}

),

series as (

    select
        store_location,
        unique_id,
        max(max(ds)) over () as newest_ds
    from panel
    group by store_location, unique_id

),

days as (

    select
        store_location,
        unique_id,
        ds,
        y
    from panel
    union all by name
    select
        store_location,
        unique_id,
        newest_ds + to_days(cast(unnest(range(1, {{ var('forecast_horizon') }} + 1)) as integer)) as ds
    from series

),

-- the forecasters take numbers
final as (

    select
        days.unique_id,
        days.ds,
        days.y,
        cast(coalesce(store_calendar.holiday, 0) as double) as holiday,
        cast(coalesce(store_calendar.before_holiday, 0) as double) as before_holiday,
        cast(coalesce(store_calendar.after_holiday, 0) as double) as after_holiday,
        cast(coalesce(store_calendar.school_holiday, 0) as double) as school_holiday
    from days
    left join store_calendar
        on
            days.store_location = store_calendar.store_location
            and days.ds = store_calendar.ds

)

select * from final
