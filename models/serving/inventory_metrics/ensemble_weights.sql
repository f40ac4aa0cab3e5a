with

ensemble_weights as (

    select * from {{ ref('fct_ensemble_weights') }}

),

final as (

    select
        cutoff_date,
        demand_class,
        horizon_week,
        model_name,
        weight,
        error_ratio,
        ensemble_error_ratio,
        forecast_count
    from ensemble_weights

)

select * from final
