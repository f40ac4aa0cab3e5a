with

forecasts as (

    select * from {{ ref('int_candidate_forecasts') }}

),

panel as (

    select * from {{ ref('int_store_category_panel') }}

),

daily_stock as (

    select * from {{ ref('int_daily_stock') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- a level that was last read before the cutoff is what the model was trained on, not an actual
actuals as (

    select
        daily_stock.store_location,
        daily_stock.category,
        {{ series_id('daily_stock.store_location', 'daily_stock.category') }} as unique_id,
        daily_stock.event_date,
        daily_stock.total_quantity,
        daily_stock.last_reading_at
    from daily_stock
    cross join as_of
    where daily_stock.event_date + interval '1 day' <= as_of.as_of

),

-- errors in units say nothing across series; those of a season before are the usual scale
seasonal_differences as (

    select
        unique_id,
        ds,
        y - lag(y, {{ var('season_length') }}) over (partition by unique_id order by ds) as difference
    from panel

),

scales as (

    select
        unique_id,
        cast(ds as date) as event_date,
        avg(abs(difference)) over known as naive_absolute_scale,
        sqrt(avg(power(difference, 2)) over known) as naive_squared_scale
    from seasonal_differences
    window known as (partition by unique_id order by ds rows unbounded preceding)

),

final as (

    select
        forecasts.model as forecaster,
        actuals.store_location,
        actuals.category,
        actuals.event_date,
        actuals.total_quantity as actual_quantity,
        cast(forecasts.cutoff as date) as cutoff_date,
        cast(forecasts.y_hat as double) as predicted_quantity,
        cast(forecasts.lo80 as double) as lower_80,
        cast(forecasts.hi80 as double) as upper_80,
        cast(forecasts.lo95 as double) as lower_95,
        cast(forecasts.hi95 as double) as upper_95,
        (actuals.event_date - cast(forecasts.cutoff as date) - 1) // 7 + 1 as horizon_week,
        nullif(scales.naive_absolute_scale, 0) as naive_absolute_scale,
        nullif(scales.naive_squared_scale, 0) as naive_squared_scale
    from forecasts
    inner join actuals
        on
            forecasts.unique_id = actuals.unique_id
            and cast(forecasts.ds as date) = actuals.event_date
            and actuals.last_reading_at > cast(forecasts.cutoff as date) + interval '1 day'
    asof left join scales
        on
            forecasts.unique_id = scales.unique_id
            and cast(forecasts.cutoff as date) >= scales.event_date

)

select * from final
