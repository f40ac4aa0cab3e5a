with

scores as (

    select * from {{ ref('int_forecast_scores') }}

),

forecasters as (

    select * from {{ ref('forecasters') }}

),

final as (

    select
        forecasters.label as model_name,
        scores.store_location,
        scores.category,
        scores.cutoff_date,
        scores.horizon_week,
        scores.day_count,
        scores.actual_quantity,
        scores.absolute_error,
        scores.naive_absolute_error,
        scores.error,
        scores.covered_80_count,
        scores.covered_95_count,
        scores.absolute_error / nullif(scores.actual_quantity, 0) as wape,
        scores.absolute_error / nullif(scores.naive_absolute_error, 0) as error_ratio,
        scores.absolute_error / scores.day_count / scores.naive_absolute_scale as mase,
        sqrt(scores.squared_error / scores.day_count) / scores.naive_squared_scale as rmsse,
        scores.error / nullif(scores.actual_quantity, 0) as bias,
        scores.covered_80_count / scores.day_count as coverage_80,
        scores.covered_95_count / scores.day_count as coverage_95,
        scores.pinball_loss / scores.day_count / scores.naive_absolute_scale as pinball_loss
    from scores
    inner join forecasters
        on scores.forecaster = forecasters.forecaster

)

select * from final
