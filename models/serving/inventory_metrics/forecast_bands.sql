with

forecast_bands as (

    select * from {{ ref('fct_forecast_bands') }}

),

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

reorder_points as (

    select
        store_location,
        category,
        {{ exact_sum('reorder_point') }} as reorder_point
    from current_stock
    group by store_location, category

),

final as (

    select
        forecast_bands.model_name,
        forecast_bands.store_location,
        forecast_bands.category,
        forecast_bands.event_date,
        forecast_bands.is_chosen,
        forecast_bands.stock,
        forecast_bands.stock_forecast,
        forecast_bands.lower_80,
        forecast_bands.upper_80,
        forecast_bands.lower_95,
        forecast_bands.upper_95,
        forecast_bands.band_correlation,
        reorder_points.reorder_point,
        forecast_bands.cutoff_date,
        forecast_bands.earlier_stock_forecast,
        forecast_bands.earlier_cutoff_date
    from forecast_bands
    left join reorder_points
        on
            forecast_bands.store_location = reorder_points.store_location
            and forecast_bands.category = reorder_points.category

)

select * from final
