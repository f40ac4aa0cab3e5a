-- Catches flows that the product facts lose or count twice against `metrics`: over the same 28 days each store's units
-- out and in are the same integers in both, but for falls from a level that rule quantity_jump flags, which the product
-- facts leave out. So they never see more, and where no level was flagged not less: a row is a store where they do.
with

stock_metrics as (

    select * from {{ ref('fct_stock_metrics') }}

),

performance as (

    select * from {{ ref('fct_stock_performance') }}

),

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

flows as (

    select
        stock_metrics.store_location,
        sum(stock_metrics.units_out) as units_out,
        sum(stock_metrics.units_in) as units_in
    from stock_metrics
    cross join as_of
    where
        stock_metrics.event_timestamp
        > cast({{ day_of('as_of.as_of') }} - {{ var('demand_window_days') }} + 1 as timestamp)
    group by stock_metrics.store_location

),

jumps as (

    select distinct store_location
    from anomalies
    where rule_id = 'quantity_jump'

)

select
    performance.store_location,
    performance.units_out,
    flows.units_out as units_out_of_metrics,
    performance.units_in,
    flows.units_in as units_in_of_metrics
from performance
inner join flows
    on performance.store_location = flows.store_location
left join jumps
    on performance.store_location = jumps.store_location
where
    performance.summary_level = 'store'
    and (
        performance.units_out > flows.units_out
        or performance.units_in > flows.units_in
        or (
            jumps.store_location is null
            and (performance.units_out < flows.units_out or performance.units_in < flows.units_in)
        )
    )
