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
    {% if var('as_of') %}
        where event_timestamp <= timestamp '{{ var("as_of") }}'
    {% endif %}
    group by all

)

select * from distinct_readings
