with

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

final as (

    select
        store_location,
        category,
        product_id,
        quantity,
        price,
        stock_value,
        daily_units_out,
        days_of_supply,
        lead_time_days,
        safety_stock,
        reorder_point,
        suggested_order,
        excess_quantity,
        excess_value,
        days_without_out,
        value_at_risk,
        movement,
        status,
        is_stale,
        is_out_of_stock,
        last_reading_at,
        sell_out_date,
        planned_at
    from current_stock

)

select * from final
