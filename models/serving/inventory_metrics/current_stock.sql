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
        cast(is_stale as integer) as is_stale,
        cast(is_out_of_stock as integer) as is_out_of_stock,
        strftime(last_reading_at, '%Y-%m-%d %H:%M:%S') as last_reading_at,
        strftime(sell_out_date, '%Y-%m-%d') as sell_out_date,
        strftime(planned_at, '%Y-%m-%d %H:%M:%S') as planned_at
    from current_stock

)

select * from final
