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
        cast(is_stale as integer) as is_stale,
        cast(is_out_of_stock as integer) as is_out_of_stock,
        daily_units_out,
        days_of_supply,
        reorder_point,
        suggested_order,
        value_at_risk,
        status,
        strftime(last_reading_at, '%Y-%m-%d %H:%M:%S') as last_reading_at
    from current_stock

)

select * from final
