with

readings as (

    select * from {{ ref('stg_inventory_events__readings') }}

),

-- the same content published twice is one reading, first seen when it first arrived
distinct_readings as (

    select
        store_location,
        product_id,
        event_timestamp,
        category,
        quantity,
        price,
        min(arrival) as arrival
    from readings
    group by all

)

select * from distinct_readings
