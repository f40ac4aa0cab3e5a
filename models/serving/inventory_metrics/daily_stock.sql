{{ config(tags=['frequent']) }}

with

daily_stock as (

    select * from {{ ref('fct_daily_stock') }}

),

stores as (

    select * from {{ ref('dim_stores') }}

),

final as (

    select
        daily_stock.store_location,
        stores.region,
        daily_stock.category,
        daily_stock.total_quantity,
        daily_stock.total_stock_value,
        daily_stock.units_out,
        daily_stock.units_in,
        daily_stock.product_count,
        daily_stock.out_of_stock_count,
        daily_stock.event_date
    from daily_stock
    left join stores
        on daily_stock.store_location = stores.store_location

)

select * from final
