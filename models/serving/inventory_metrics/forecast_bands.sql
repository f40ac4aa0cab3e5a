with

forecast_bands as (

    select * from {{ ref('fct_forecast_bands') }}

),

final as (

    select
        stock,
        stock_forecast,
        lower_80,
        upper_80,
        lower_95,
        upper_95,
        store_location,
        category,
        model_name,
        event_date,
        cutoff_date
    from forecast_bands

)

select * from final
