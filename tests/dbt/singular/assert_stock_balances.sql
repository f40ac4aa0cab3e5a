-- Catches flows that were lost or counted twice (a product that moved category, a suspect reading, a bucket's edge):
-- what a store held first, plus what came in, less what went out, is what it holds now. Units are integers: no
-- tolerance.
with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

stock_metrics as (

    select * from {{ ref('fct_stock_metrics') }}

),

first_levels as (

    select
        store_location,
        product_id,
        arg_min(stock_level, event_timestamp) as first_level
    from levels
    where not is_suspect
    group by store_location, product_id

),

opening as (

    select
        store_location,
        sum(first_level) as opening_quantity
    from first_levels
    group by store_location

),

flows as (

    select
        store_location,
        sum(units_in) - sum(units_out) as net_quantity,
        sum(total_quantity) filter (
            where event_timestamp = (select max(last_bucket.event_timestamp) from stock_metrics as last_bucket)
        ) as closing_quantity
    from stock_metrics
    group by store_location

)

select
    opening.store_location,
    opening.opening_quantity,
    flows.net_quantity,
    flows.closing_quantity
from opening
inner join flows
    on opening.store_location = flows.store_location
where opening.opening_quantity + flows.net_quantity <> flows.closing_quantity
