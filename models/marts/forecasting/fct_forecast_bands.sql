with

daily_stock as (

    select * from {{ ref('fct_daily_stock') }}

),

forecasts as (

    select * from {{ ref('fct_forecasts') }}

),

band_correlations as (

    select * from {{ ref('int_band_correlations') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

newest_forecasts as (

    select
        forecasts.*,
        coalesce(band_correlations.band_correlation, 1) as band_correlation
    from forecasts
    left join band_correlations
        on forecasts.cutoff_date = band_correlations.cutoff_date
    qualify
        forecasts.cutoff_date
        = max(forecasts.cutoff_date) over (partition by forecasts.store_location, forecasts.category)

),

models as (

    select distinct
        model_name,
        store_location,
        category,
        is_chosen,
        cutoff_date
    from newest_forecasts

),

-- one earlier forecast, made a horizon before the newest one, or as early as there is one
earlier_cutoffs as (

    select
        models.store_location,
        models.category,
        coalesce(
            max(forecasts.cutoff_date) filter (
                where forecasts.cutoff_date <= models.cutoff_date - {{ var('forecast_horizon') }}
            ),
            min(forecasts.cutoff_date)
        ) as cutoff_date
    from models
    inner join forecasts
        on
            models.store_location = forecasts.store_location
            and models.category = forecasts.category
            and models.cutoff_date > forecasts.cutoff_date
    group by models.store_location, models.category

),

-- what was chosen now may be another model than what was chosen then
earlier_forecasts as (

    select
        models.model_name,
        models.is_chosen,
        models.store_location,
        models.category,
        forecasts.event_date,
        forecasts.cutoff_date as earlier_cutoff_date,
        forecasts.predicted_quantity as earlier_stock_forecast
    from forecasts
    inner join earlier_cutoffs
        on
            forecasts.store_location = earlier_cutoffs.store_location
            and forecasts.category = earlier_cutoffs.category
            and forecasts.cutoff_date = earlier_cutoffs.cutoff_date
    inner join models
        on
            forecasts.store_location = models.store_location
            and forecasts.category = models.category
            and forecasts.event_date <= models.cutoff_date
            and case
                when models.is_chosen then forecasts.is_chosen else forecasts.model_name = models.model_name
            end

),

-- enough history to show the forecast as its continuation
actual_days as (

    select
        models.model_name,
        models.is_chosen,
        daily_stock.store_location,
        daily_stock.category,
        daily_stock.event_date,
        daily_stock.total_quantity as stock
    from daily_stock
    cross join as_of
    inner join models
        on
            daily_stock.store_location = models.store_location
            and daily_stock.category = models.category
            and daily_stock.event_date > models.cutoff_date - 90
    where daily_stock.event_date + interval '1 day' <= as_of.as_of

),

together as (

    select * from actual_days
    union all by name
    select * rename (predicted_quantity as stock_forecast) from newest_forecasts
    union all by name
    select * from earlier_forecasts

),

final as (

    select
        model_name,
        store_location,
        category,
        event_date,
        is_chosen,
        max(stock) as stock,
        max(stock_forecast) as stock_forecast,
        max(lower_80) as lower_80,
        max(upper_80) as upper_80,
        max(lower_95) as lower_95,
        max(upper_95) as upper_95,
        max(band_correlation) as band_correlation,
        max(cutoff_date) as cutoff_date,
        max(earlier_stock_forecast) as earlier_stock_forecast,
        max(earlier_cutoff_date) as earlier_cutoff_date
    from together
    group by model_name, store_location, category, event_date, is_chosen

)

select * from final
