with

lost_sales as (

    select * from {{ ref('fct_lost_sales') }}

),

final as (

    select
        store_location,
        category,
        product_id,
        product_name,
        out_of_stock_hours,
        lost_units,
        lost_value,
        weeks_ago,
        event_date
    from lost_sales

)

select * from final
