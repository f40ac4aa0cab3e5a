with

forecast_choices as (

    select * from {{ ref('fct_forecast_choices') }}

),

final as (

    select
        store_location,
        category,
        cutoff_date,
        model_name,
        is_chosen,
        is_published,
        reason,
        wape,
        naive_wape,
        error_ratio,
        error_ratio_of_all_stores,
        error_ratio_of_all_series,
        backtest_count,
        day_count
    from forecast_choices

)

select * from final
