{{ config(tags=['frequent']) }}

{#- tables of a time that is over do not know what was ordered, received or cancelled since then -#}
{%- set known_until = "timestamp '" ~ var('as_of') ~ "'" if var('as_of') else "timestamp 'infinity'" -%}

with

order_events as (

    select * from {{ ref('stg_orders__events') }}

),

assortment as (

    select * from {{ ref('int_assortment') }}

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

known as (

    select
        states.order_id,
        states.store_location,
        states.product_id,
        assortment.supplier,
        states.quantity_ordered,
        states.ordered_at,
        states.expected_at,
        case when states.received_at <= {{ known_until }} then states.received_at end as received_at,
        case when states.cancelled_at <= {{ known_until }} then states.cancelled_at end as cancelled_at,
        assortment.last_reading_at
    from states
    inner join assortment
        on
            states.store_location = assortment.store_location
            and states.product_id = assortment.product_id

),

final as (

    select
        known.order_id,
        known.store_location,
        known.product_id,
        known.supplier,
        known.quantity_ordered,
        known.ordered_at,
        known.expected_at,
        known.received_at,
        known.cancelled_at,
        -- a delivery that came after the last reading is in no level yet
        known.cancelled_at is null and coalesce(known.received_at > known.last_reading_at, true) as is_open,
        is_open and known.received_at is null and coalesce(known.expected_at < as_of.as_of, false) as is_overdue
    from known
    cross join as_of

)

select * from final
