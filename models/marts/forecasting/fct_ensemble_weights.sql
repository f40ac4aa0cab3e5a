with

ensemble_weights as (

    select * from {{ ref('int_ensemble_weights') }}

),

forecasters as (

    select * from {{ ref('forecasters') }}

),

final as (

    select
        ensemble_weights.cutoff_date,
        ensemble_weights.demand_class,
        ensemble_weights.horizon_week,
        forecasters.label as model_name,
        ensemble_weights.weight,
        ensemble_weights.error_ratio,
        ensemble_weights.ensemble_error_ratio,
        ensemble_weights.forecast_count
    from ensemble_weights
    inner join forecasters
        on ensemble_weights.forecaster = forecasters.forecaster

)

select * from final
