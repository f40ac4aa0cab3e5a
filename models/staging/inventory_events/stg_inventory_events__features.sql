with

features as (

    select * from {{ source('inventory_events', 'features') }}

),

-- readings that arrive after their window was closed have a row of their own
windows as (

    select
        -- ids
        store_location,
        category,

        -- numerics
        cast(sum(reading_count) as bigint) as reading_count,
        cast(sum(units_out) as bigint) as units_out,
        cast(sum(units_in) as bigint) as units_in,
        cast(sum(restock_count) as bigint) as restock_count,
        cast(sum(price_change_count) as bigint) as price_change_count,
        cast(sum(late_count) as bigint) as late_count,

        -- timestamps
        {{ utc('window_end') }} as window_end

    from features
    group by store_location, category, window_end

)

select * from windows
