{{ config(materialized='view') }}

with

backtests as (

    select * from {{ ref('int_backtests') }}

),

forecasters as (

    select * from {{ ref('forecasters') }}

),

final as (

    select
        forecasters.label as model_name,
        backtests.store_location,
        backtests.category,
        backtests.cutoff_date,
        backtests.event_date,
        backtests.horizon_week,
        backtests.predicted_quantity,
        backtests.lower_80,
        backtests.upper_80,
        backtests.lower_95,
        backtests.upper_95,
        backtests.actual_quantity
    from backtests
    inner join forecasters
        on backtests.forecaster = forecasters.forecaster

)

select * from final
