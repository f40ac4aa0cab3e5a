-- a view: a second copy of all readings would add nothing
{{ config(materialized='view') }}

with

stock_levels as (

    select * from {{ ref('int_stock_levels') }}

),

final as (

    select
        store_location,
        product_id,
        category,
        quantity,
        reported_price as price,
        is_suspect,
        event_timestamp
    from stock_levels

)

select * from final
