with

product_forecasts as (

    select * from {{ ref('fct_product_forecasts') }}

),

final as (

    select
        store_location,
        category,
        product_id,
        cutoff_date,
        event_date,
        units_out_forecast,
        stock_forecast
    from product_forecasts

)

select * from final
