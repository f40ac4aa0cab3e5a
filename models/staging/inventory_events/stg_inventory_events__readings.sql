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
        extra,

        -- numerics
        cast(quantity as bigint) as quantity,
        cast(price as decimal(18, 9)) as price,

        -- timestamps
        timezone('UTC', cast(event_timestamp as timestamptz)) as event_timestamp,

        -- arrival
        row(
            timezone('UTC', cast(publish_time as timestamptz)),
            topic, partition, ledger_id, entry_id, batch_index
        ) as arrival

    from readings

)

select * from renamed
