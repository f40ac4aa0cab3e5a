with

forecast_actuals as (

    select * from {{ ref('fct_forecast_actuals') }}

),

final as (

    select
        model_name,
        store_location,
        category,
        predicted_quantity,
        actual_quantity,
        forecast_timestamp
    from forecast_actuals

)

select * from final
