with

readings as (

    select * from {{ source('inventory_events', 'readings') }}

),

renamed as (

    select
        -- ids
        product_id,
        store_location,
        batch_id,
        topic,
        partition as partition_number,
        ledger_id,

        -- text
        category,
        extra,
        event_month,

        -- numerics
        cast(quantity as bigint) as quantity,
        cast(price as decimal(18, 9)) as price,

        -- timestamps
        {{ utc('event_timestamp') }} as event_timestamp,
        {{ utc('publish_time') }} as published_at,

        -- arrival
        row(
            {{ utc('publish_time') }},
            topic, partition, ledger_id, entry_id, batch_index
        ) as arrival

    from readings

),

plausible as (

    select * from renamed
    where {{ is_plausible_timestamp('event_timestamp', 'published_at') }}

)

select * from plausible
