{{ config(materialized='view') }}

with

late_readings as (

    select * from {{ ref('int_late_readings') }}

),

-- the same reading may have come in several batches
final as (

    select distinct
        store_location,
        product_id,
        category,
        quantity,
        price,
        event_timestamp,
        date_trunc('second', published_at) as published_at
    from late_readings

)

select * from final
