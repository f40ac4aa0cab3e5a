with

forecast_bands as (

    select * from {{ ref('fct_forecast_bands') }}

),

final as (

    select
        model_name,
        store_location,
        category,
        event_date,
        is_chosen,
        stock,
        stock_forecast,
        lower_80,
        upper_80,
        lower_95,
        upper_95,
        cutoff_date,
        earlier_stock_forecast,
        earlier_cutoff_date
    from forecast_bands

)

select * from final
