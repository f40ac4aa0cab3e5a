with

readings as (

    select * from {{ source('inventory_events', 'readings') }}

),

renamed as (

    select
        -- ids
        product_id,
        store_location,

        -- text
        category,

        -- numerics
        cast(quantity as bigint) as quantity,

        -- timestamps
        {{ utc('event_timestamp') }} as event_timestamp,
        {{ utc('publish_time') }} as published_at

    from readings

),

implausible as (

    select * from renamed
    where not ({{ is_plausible_timestamp('event_timestamp', 'published_at') }})

)

select * from implausible
