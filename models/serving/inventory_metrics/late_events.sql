{{ config(materialized='view') }}

with

late_readings as (

    select * from {{ ref('fct_late_readings') }}

),

final as (

    select
        product_id,
        category,
        store_location,
        quantity,
        price,
        event_timestamp,
        published_at
    from late_readings

)

select * from final
