{{ config(materialized='view') }}

with

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

final as (

    select
        store_location,
        category,
        product_id,
        quantity,
        price,
        stock_value,
        last_reading_at,
        is_stale,
        is_out_of_stock,
        daily_units_out,
        daily_units_out_sd,
        days_of_supply,
        sell_out_date,
        lead_time_days,
        safety_stock,
        reorder_point,
        order_up_to_level,
        suggested_order,
        excess_quantity,
        excess_value,
        days_without_out,
        value_at_risk,
        movement,
        status,
        planned_at
    from current_stock

)

select * from final
