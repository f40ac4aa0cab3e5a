with

forecasts as (

    select * from {{ ref('int_published_forecasts') }}

),

daily_stock as (

    select * from {{ ref('int_daily_stock') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

lowest_forecasts as (

    select
        forecasts.store_location,
        forecasts.category,
        forecasts.cutoff_date,
        min(forecasts.predicted_quantity) as lowest_quantity,
        arg_min(forecasts.event_date, forecasts.predicted_quantity) as lowest_date
    from forecasts
    where forecasts.is_chosen
    group by forecasts.store_location, forecasts.category, forecasts.cutoff_date

),

{{ rule_findings('forecast') }}

select * from findings
