{{ config(materialized='view') }}

with

readings as (

    select * from {{ ref('fct_readings') }}

),

final as (

    select
        product_id,
        category,
        store_location,
        quantity,
        price,
        event_timestamp
    from readings

)

select * from final
