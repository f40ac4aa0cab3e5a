{{ config(materialized='view') }}

with

stock_metrics as (

    select * from {{ ref('fct_stock_metrics') }}

),

final as (

    select
        store_location,
        category,
        total_quantity,
        avg_price,
        total_stock_value,
        turnover_rate,
        event_timestamp
    from stock_metrics

)

select * from final
