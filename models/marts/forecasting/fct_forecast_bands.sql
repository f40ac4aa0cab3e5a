with

daily_stock as (

    select * from {{ ref('fct_daily_stock') }}

),

forecasts as (

    select * from {{ ref('fct_forecasts') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

actuals as (

    select
        daily_stock.event_date,
        daily_stock.store_location,
        daily_stock.category,
        daily_stock.total_quantity
    from daily_stock
    cross join as_of
    where daily_stock.event_date + interval '1 day' <= as_of.as_of

),

newest_forecasts as (

    select *
    from forecasts
    qualify
        row_number() over (
            partition by model_name, store_location, category, event_date
            order by cutoff_date desc
        ) = 1

),

models as (

    select distinct
        model_name,
        store_location,
        category
    from forecasts

),

actual_days as (

    select
        models.model_name,
        actuals.store_location,
        actuals.category,
        actuals.event_date,
        actuals.total_quantity
    from actuals
    inner join models
        on
            actuals.store_location = models.store_location
            and actuals.category = models.category
    -- enough history to show the forecast as its continuation
    where actuals.event_date > (select max(newest.cutoff_date) from forecasts as newest) - 90

),

final as (

    select
        actual_days.total_quantity as stock,
        newest_forecasts.predicted_quantity as stock_forecast,
        newest_forecasts.lower_80,
        newest_forecasts.upper_80,
        newest_forecasts.lower_95,
        newest_forecasts.upper_95,
        newest_forecasts.cutoff_date,
        coalesce(actual_days.event_date, newest_forecasts.event_date) as event_date,
        coalesce(actual_days.store_location, newest_forecasts.store_location) as store_location,
        coalesce(actual_days.category, newest_forecasts.category) as category,
        coalesce(actual_days.model_name, newest_forecasts.model_name) as model_name
    from actual_days
    full outer join newest_forecasts
        on
            actual_days.model_name = newest_forecasts.model_name
            and actual_days.store_location = newest_forecasts.store_location
            and actual_days.category = newest_forecasts.category
            and actual_days.event_date = newest_forecasts.event_date

)

select * from final
