-- Catches flows that the product facts lose or count twice against `metrics`: on each day each store's units out and in
-- are the same integers in both. Where rule quantity_jump flagged a level, the product facts leave out what falls from
-- it and measure what follows from the level before: there they do not see more over the whole history. A row is a
-- store (and day) that differs.
with

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

daily_stock as (

    select * from {{ ref('fct_daily_stock') }}

),

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

jumps as (

    select distinct store_location
    from anomalies
    where detector = 'quantity_jump'

),

flows as (

    select
        store_location,
        event_date,
        units_out,
        units_in,
        0 as units_out_of_metrics,
        0 as units_in_of_metrics
    from product_daily
    union all
    select
        store_location,
        event_date,
        0 as units_out,
        0 as units_in,
        units_out as units_out_of_metrics,
        units_in as units_in_of_metrics
    from daily_stock

),

compared as (

    select
        flows.store_location,
        jumps.store_location is not null as has_jumps,
        case when jumps.store_location is null then flows.event_date end as event_date,
        sum(flows.units_out) as units_out,
        sum(flows.units_in) as units_in,
        sum(flows.units_out_of_metrics) as units_out_of_metrics,
        sum(flows.units_in_of_metrics) as units_in_of_metrics
    from flows
    left join jumps
        on flows.store_location = jumps.store_location
    group by all

)

select *
from compared
where
    units_out > units_out_of_metrics
    or units_in > units_in_of_metrics
    or (not has_jumps and (units_out < units_out_of_metrics or units_in < units_in_of_metrics))
