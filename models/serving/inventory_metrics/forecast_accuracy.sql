with

forecast_accuracy as (

    select * from {{ ref('fct_forecast_accuracy') }}

),

final as (

    select
        model_name,
        store_location,
        category,
        cutoff_date,
        horizon_week,
        day_count,
        actual_quantity,
        absolute_error,
        naive_absolute_error,
        error,
        covered_80_count,
        covered_95_count,
        wape,
        error_ratio,
        mase,
        rmsse,
        bias,
        coverage_80,
        coverage_95,
        pinball_loss
    from forecast_accuracy

)

select * from final
