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

    select * from {{ ref('int_candidate_forecasts') }}

),

choices as (

    select * from {{ ref('int_forecast_choices') }}

),

forecasters as (

    select * from {{ ref('forecasters') }}

),

named as (

    select
        choices.store_location,
        choices.category,
        choices.cutoff_date,
        choices.is_chosen,
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
    inner join choices
        on
            forecasts.model = choices.forecaster
            and forecasts.unique_id = {{ series_id('choices.store_location', 'choices.category') }}
            and cast(forecasts.cutoff as date) = choices.cutoff_date
    where choices.is_published

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
