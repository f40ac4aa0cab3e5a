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
        cast(actual_quantity as double) as actual_quantity,
        {{ iso_timestamp('forecast_timestamp') }} as forecast_timestamp
    from forecast_actuals

)

select * from final
