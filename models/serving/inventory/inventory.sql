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
        cast(price as double) as price,
        {{ iso_timestamp('event_timestamp') }} as event_timestamp
    from readings

)

select * from final
