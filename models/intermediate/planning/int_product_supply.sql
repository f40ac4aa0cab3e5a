{{ config(materialized='view') }}

with

assortment as (

    select * from {{ ref('int_assortment') }}

),

policies as (

    select * from {{ ref('replenishment_policies') }}

),

lead_times as (

    select * from {{ ref('int_supplier_lead_times') }}

),

order_lines as (

    select * from {{ ref('int_order_lines') }}

),

demand as (

    select * from {{ ref('int_product_demand') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- the policy of the store and category, else the one that names only one of them, else the one for all
supplied as (

    select
        assortment.*,
        policies.review_period_days,
        policies.service_z,
        coalesce(lead_times.lead_time_days, policies.lead_time_days) as lead_time_days,
        coalesce(lead_times.lead_time_sd_days, policies.lead_time_sd_days) as lead_time_sd_days,
        case when lead_times.lead_time_days is not null then 'orders' else 'policy' end as lead_time_from
    from assortment
    inner join policies
        on
            policies.store_location in (assortment.store_location, '*')
            and policies.category in (assortment.category, '*')
    left join lead_times
        on
            assortment.store_location = lead_times.store_location
            and assortment.supplier = lead_times.supplier
    qualify
        row_number() over (
            partition by assortment.store_location, assortment.product_id
            order by policies.store_location = '*', policies.category = '*'
        ) = 1

),

-- nobody knows when an overdue order comes, or one without a date
open_orders as (

    select
        order_lines.store_location,
        order_lines.product_id,
        order_lines.quantity_ordered,
        case when not order_lines.is_overdue then order_lines.expected_at end as due_at,
        (epoch_us(due_at) - epoch_us(as_of.as_of)) / 86400e6 as due_in_days
    from order_lines
    cross join as_of
    where order_lines.is_open

),

on_order as (

    select
        store_location,
        product_id,
        cast(sum(quantity_ordered) as bigint) as on_order,
        min(due_at) as next_delivery_at
    from open_orders
    group by store_location, product_id

),

-- what is due within the lead time, and at its end what is ordered now
deliveries as (

    select
        supplied.store_location,
        supplied.product_id,
        supplied.quantity,
        open_orders.due_in_days,
        open_orders.quantity_ordered
    from supplied
    inner join open_orders
        on
            supplied.store_location = open_orders.store_location
            and supplied.product_id = open_orders.product_id
            and supplied.lead_time_days >= open_orders.due_in_days
    union all
    select
        store_location,
        product_id,
        quantity,
        lead_time_days as due_in_days,
        0 as quantity_ordered
    from supplied

),

until_deliveries as (

    select
        *,
        quantity + coalesce(
            sum(quantity_ordered) over (
                partition by store_location, product_id
                order by due_in_days, quantity_ordered
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as quantity_until_then
    from deliveries

),

-- shelves miss what the worst of these waits leaves unsold
shortfalls as (

    select
        until_deliveries.store_location,
        until_deliveries.product_id,
        cast(sum(until_deliveries.quantity_ordered) as bigint) as due_quantity,
        max(demand.daily_units_out * until_deliveries.due_in_days - until_deliveries.quantity_until_then) as shortfall
    from until_deliveries
    left join demand
        on
            until_deliveries.store_location = demand.store_location
            and until_deliveries.product_id = demand.product_id
    group by until_deliveries.store_location, until_deliveries.product_id

),

final as (

    select
        supplied.store_location,
        supplied.category,
        supplied.product_id,
        supplied.product_name,
        supplied.unit,
        supplied.supplier,
        supplied.pack_size,
        supplied.minimum_order,
        supplied.unit_cost,
        supplied.quantity,
        supplied.price,
        supplied.last_reading_at,
        supplied.lead_time_days,
        supplied.lead_time_sd_days,
        supplied.lead_time_from,
        supplied.review_period_days,
        supplied.service_z,
        on_order.next_delivery_at,
        shortfalls.due_quantity,
        coalesce(on_order.on_order, 0) as on_order,
        supplied.quantity + coalesce(on_order.on_order, 0) as inventory_position,
        -- greatest() skips NULL, and demand that is not known misses an unknown number
        case when shortfalls.shortfall is not null then cast(greatest(shortfalls.shortfall, 0) as double) end
            as missed_units
    from supplied
    inner join shortfalls
        on
            supplied.store_location = shortfalls.store_location
            and supplied.product_id = shortfalls.product_id
    left join on_order
        on
            supplied.store_location = on_order.store_location
            and supplied.product_id = on_order.product_id

)

select * from final
