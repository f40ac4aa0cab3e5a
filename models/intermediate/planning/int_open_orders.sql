{{ config(tags=['frequent']) }}

{#- tables of a time that is over do not know what was ordered, received or cancelled since then -#}
{%- set known_until = "timestamp '" ~ var('as_of') ~ "'" if var('as_of') else "timestamp 'infinity'" -%}

with

order_events as (

    select * from {{ ref('stg_orders__events') }}

),

levels as (

    select * from {{ ref('int_stock_levels') }}

),

products as (

    select * from {{ ref('stg_masters__products') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- What happened last to an order line is its state. Of one time, the one that promises less: a delivery is put off more
-- often than it is brought forward.
states as (

    select *
    from order_events
    where ordered_at <= {{ known_until }}
    qualify
        row_number() over (
            partition by order_id, store_location, product_id
            order by
                greatest(ordered_at, received_at, cancelled_at) desc,
                expected_at desc nulls last,
                quantity_ordered desc,
                cancelled_at desc nulls last,
                received_at desc nulls last
        ) = 1

),

last_readings as (

    select
        store_location,
        product_id,
        event_timestamp as last_reading_at
    from levels
    where next_reading_at is null and not is_suspect

),

final as (

    select
        states.order_id,
        states.store_location,
        states.product_id,
        coalesce(products.supplier, default_product.supplier) as supplier,
        states.quantity_ordered,
        states.ordered_at,
        states.expected_at,
        coalesce(
            states.expected_at < as_of.as_of and coalesce(states.received_at > {{ known_until }}, true), false
        ) as is_overdue
    from states
    cross join as_of
    inner join last_readings
        on
            states.store_location = last_readings.store_location
            and states.product_id = last_readings.product_id
    left join products
        on states.product_id = products.product_id
    left join products as default_product
        on default_product.product_id = '*'
    where
        coalesce(states.cancelled_at > {{ known_until }}, true)
        -- a delivery that came after the last reading is in no level yet
        and coalesce(states.received_at > last_readings.last_reading_at, true)

)

select * from final
