with

daily_stock as (

    select * from {{ ref('fct_daily_stock') }}

),

final as (

    select
        store_location,
        category,
        total_quantity,
        total_stock_value,
        units_out,
        units_in,
        product_count,
        out_of_stock_count,
        event_date
    from daily_stock

)

select * from final
