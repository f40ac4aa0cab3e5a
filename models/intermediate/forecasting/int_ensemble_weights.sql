with

forecasts as (

    select * from {{ ref('int_forecasts') }}

),

-- series of one class share their weights, and so do the days of one week
final as (

    select distinct
        demand_class,
        model as forecaster,
        weight,
        cast(forecasts as bigint) as forecast_count,
        cast(cutoff as date) as cutoff_date,
        bucket + 1 as horizon_week,
        error / nullif(naive_error, 0) as error_ratio,
        ensemble_error / nullif(naive_error, 0) as ensemble_error_ratio
    from forecasts
    where weight is not null

)

select * from final
