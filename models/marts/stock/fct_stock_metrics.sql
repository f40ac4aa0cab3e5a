{{ config(materialized='view') }}

with

stock_metrics as (

    select * from {{ ref('int_stock_metrics') }}

),

final as (

    select
        store_location,
        category,
        event_timestamp,
        last_reading_at,
        first_reading_at,
        total_quantity,
        avg_price,
        total_stock_value,
        turnover_rate,
        units_out,
        units_in,
        window_units_out,
        average_quantity,
        product_count,
        out_of_stock_count,
        priced_count
    from stock_metrics

)

select * from final
