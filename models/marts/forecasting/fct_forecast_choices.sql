with

choices as (

    select * from {{ ref('int_forecast_choices') }}

),

forecasters as (

    select * from {{ ref('forecasters') }}

),

final as (

    select
        choices.store_location,
        choices.category,
        choices.cutoff_date,
        forecasters.label as model_name,
        choices.is_chosen,
        choices.is_published,
        choices.reason,
        choices.wape,
        choices.naive_wape,
        choices.error_ratio,
        choices.error_ratio_of_all_stores,
        choices.error_ratio_of_all_series,
        choices.backtest_count,
        choices.day_count
    from choices
    inner join forecasters
        on choices.forecaster = forecasters.forecaster
    qualify choices.cutoff_date = max(choices.cutoff_date) over (partition by choices.store_location, choices.category)

)

select * from final
