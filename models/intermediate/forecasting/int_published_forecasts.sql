{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        full_refresh=false
    )
}}

with

forecasts as (

    select * from {{ ref('int_forecasts') }}

),

forecasters as (

    select * from {{ ref('forecasters') }}

),

series as (

    select distinct
        store_location,
        category
    from {{ ref('int_daily_stock') }}

),

named as (

    select
        series.store_location,
        series.category,
        cast(forecasts.cutoff as date) as cutoff_date,
        cast(forecasts.ds as date) as event_date,
        cast(forecasts.y_hat as double) as predicted_quantity,
        cast(forecasts.lo80 as double) as lower_80,
        cast(forecasts.hi80 as double) as upper_80,
        cast(forecasts.lo95 as double) as lower_95,
        cast(forecasts.hi95 as double) as upper_95,
        cast(forecasts.fallback_reason as varchar) as fallback_reason,
        forecasters.label as model_name
    from forecasts
    inner join forecasters
        on forecasts.model = forecasters.forecaster
    inner join series
        on forecasts.unique_id = {{ series_id('series.store_location', 'series.category') }}

),

-- A published forecast never changes. The first build publishes two cutoffs: the newest, and the one a horizon before
-- it, so that its actuals exist from the first day. Each later build adds only a newer cutoff.
final as (

    select *
    from named
    where
        cutoff_date
        {% if is_incremental() %}
            > (select coalesce(max(published.cutoff_date), date '0001-01-01') from {{ this }} as published)
            and cutoff_date = (select max(newest.cutoff_date) from named as newest)
        {% else %}
            >= (select max(newest.cutoff_date) from named as newest) - {{ var('forecast_horizon') }}
        {% endif %}

)

select * from final
