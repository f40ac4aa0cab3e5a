{{ config(materialized='view') }}

with

daily_stock as (

    select * from {{ ref('int_daily_stock') }}

),

final as (

    select
        event_date,
        store_location,
        category,
        total_quantity,
        avg_price,
        total_stock_value,
        units_out,
        units_in,
        product_count,
        out_of_stock_count,
        last_reading_at
    from daily_stock

)

select * from final
