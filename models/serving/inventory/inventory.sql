{{ config(materialized='view') }}

with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

final as (

    select
        product_id,
        category,
        store_location,
        quantity,
        cast(reported_price as double) as price,
        {{ iso_timestamp('event_timestamp') }} as event_timestamp
    from levels

)

select * from final
