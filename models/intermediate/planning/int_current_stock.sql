{{ config(tags=['frequent']) }}

with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

demand as (

    select * from {{ ref('int_product_demand') }}

),

history as (

    select * from {{ ref('int_product_history') }}

),

policies as (

    select * from {{ ref('replenishment_policies') }}

),

products as (

    select * from {{ ref('stg_masters__products') }}

),

open_orders as (

    select * from {{ ref('int_open_orders') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- the last reading may be suspect, so take the last one that is not
latest as (

    select
        store_location,
        product_id,
        category,
        stock_level as quantity,
        price,
        event_timestamp as last_reading_at
    from levels
    where next_reading_at is null and not is_suspect

),

-- the policy of the store and category, else the one that names only one of them, else the one for all
with_policy as (

    select
        latest.*,
        policies.lead_time_days,
        policies.lead_time_sd_days,
        policies.review_period_days,
        policies.service_z
    from latest
    inner join policies
        on
            policies.store_location in (latest.store_location, '*')
            and policies.category in (latest.category, '*')
    qualify
        row_number() over (
            partition by latest.store_location, latest.product_id
            order by policies.store_location = '*', policies.category = '*'
        ) = 1

),

-- nobody knows when an overdue order comes, or one without a date
dated_orders as (

    select
        open_orders.*,
        case when not open_orders.is_overdue then open_orders.expected_at end as due_at,
        (epoch_us(due_at) - epoch_us(as_of.as_of)) / 86400e6 as due_in_days
    from open_orders
    cross join as_of

),

on_order as (

    select
        store_location,
        product_id,
        cast(sum(quantity_ordered) as bigint) as on_order,
        min(due_at) as next_delivery_at
    from dated_orders
    group by store_location, product_id

),

-- what is due within the lead time, and at its end what is ordered now
deliveries as (

    select
        with_policy.store_location,
        with_policy.product_id,
        with_policy.quantity,
        dated_orders.due_in_days,
        dated_orders.quantity_ordered
    from with_policy
    inner join dated_orders
        on
            with_policy.store_location = dated_orders.store_location
            and with_policy.product_id = dated_orders.product_id
            and with_policy.lead_time_days >= dated_orders.due_in_days
    union all
    select
        store_location,
        product_id,
        quantity,
        lead_time_days as due_in_days,
        0 as quantity_ordered
    from with_policy

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
        max(demand.daily_units_out * until_deliveries.due_in_days - until_deliveries.quantity_until_then) as shortfall,
        sum(until_deliveries.quantity_ordered) as due_quantity
    from until_deliveries
    left join demand
        on
            until_deliveries.store_location = demand.store_location
            and until_deliveries.product_id = demand.product_id
    group by until_deliveries.store_location, until_deliveries.product_id

),

supplied as (

    select
        with_policy.*,
        products.name as product_name,
        on_order.next_delivery_at,
        shortfalls.shortfall,
        shortfalls.due_quantity,
        coalesce(products.unit, default_product.unit) as unit,
        coalesce(products.supplier, default_product.supplier) as supplier,
        coalesce(products.pack_size, default_product.pack_size, 1) as pack_size,
        coalesce(products.minimum_order, default_product.minimum_order, 1) as minimum_order,
        coalesce(products.unit_cost, default_product.unit_cost) as unit_cost,
        coalesce(on_order.on_order, 0) as on_order,
        with_policy.quantity + coalesce(on_order.on_order, 0) as inventory_position
    from with_policy
    inner join shortfalls
        on
            with_policy.store_location = shortfalls.store_location
            and with_policy.product_id = shortfalls.product_id
    left join products
        on with_policy.product_id = products.product_id
    left join products as default_product
        on default_product.product_id = '*'
    left join on_order
        on
            with_policy.store_location = on_order.store_location
            and with_policy.product_id = on_order.product_id

),

planned as (

    select
        supplied.*,
        as_of.as_of,
        rules.threshold as dead_after_days,
        history.last_out_at,
        history.planned_at,
        demand.daily_units_out,
        demand.daily_units_out_sd,
        -- a product that is newer than its last planning has its first reading just behind it
        (
            epoch_us({{ flows_known_until(
                'as_of.as_of', 'supplied.last_reading_at', 'history.last_interval_us', 'supplied.quantity'
            ) }})
            - epoch_us(coalesce(history.last_out_at, history.first_reading_at, supplied.last_reading_at))
        ) / 86400e6 as days_without_out,
        supplied.quantity / nullif(demand.daily_units_out, 0) as days_of_supply,
        supplied.service_z * sqrt(
            supplied.lead_time_days * power(demand.daily_units_out_sd, 2)
            + power(demand.daily_units_out, 2) * power(supplied.lead_time_sd_days, 2)
        ) as safety_stock
    from supplied
    cross join as_of
    inner join rules
        on rules.rule_id = 'dead_stock'
    left join demand
        on
            supplied.store_location = demand.store_location
            and supplied.product_id = demand.product_id
    left join history
        on
            supplied.store_location = history.store_location
            and supplied.product_id = history.product_id

),

leveled as (

    select
        *,
        daily_units_out * lead_time_days + safety_stock as reorder_point,
        daily_units_out * (lead_time_days + review_period_days) + safety_stock as order_up_to_level,
        -- greatest() skips NULL, and demand that is not known puts an unknown value at risk
        case when daily_units_out is not null then greatest(shortfall, 0) end as missed_units,
        missed_units * price as value_at_risk
    from planned

),

final as (

    select
        store_location,
        category,
        product_id,
        product_name,
        unit,
        supplier,
        quantity,
        on_order,
        inventory_position,
        next_delivery_at,
        cast(price as double) as price,
        cast(unit_cost as double) as unit_cost,
        cast(quantity * price as double) as stock_value,
        last_reading_at,
        last_reading_at + interval '{{ var("stale_after") }}' as stale_at,
        stale_at < as_of as is_stale,
        quantity = 0 as is_out_of_stock,
        daily_units_out,
        daily_units_out_sd,
        days_of_supply,
        -- a date more than ten years away means nothing
        case
            when days_of_supply <= 3650 then cast(as_of + to_seconds(days_of_supply * 86400) as date)
        end as sell_out_date,
        lead_time_days,
        lead_time_sd_days,
        review_period_days,
        service_z,
        safety_stock,
        reorder_point,
        order_up_to_level,
        pack_size,
        minimum_order,
        cast(
            case
                when inventory_position < reorder_point
                    -- in whole packs
                    then
                        ceil(greatest(ceil(order_up_to_level - inventory_position), minimum_order) / pack_size)
                        * pack_size
                else 0
            end as bigint
        ) as suggested_order,
        cast(suggested_order * coalesce(unit_cost, price) as double) as order_cost,
        case
            when unit_cost is not null then 'unit cost'
            when price is not null then 'price'
        end as order_cost_from,
        case
            when order_up_to_level is not null
                then cast(greatest(quantity - ceil(order_up_to_level), 0) as bigint)
        end as excess_quantity,
        cast(excess_quantity * price as double) as excess_value,
        days_without_out,
        cast(missed_units as double) as missed_units,
        cast(value_at_risk as double) as value_at_risk,
        cast(due_quantity as bigint) as due_quantity,
        case
            when quantity = 0 then 'none on hand'
            when days_without_out >= dead_after_days then 'dead'
            when last_out_at is null then 'new'
            when daily_units_out = 0 or days_of_supply > {{ var('slow_days_of_supply') }} then 'slow'
            else 'moving'
        end as movement,
        case
            when quantity = 0 then 'out of stock'
            when missed_units > 0 then 'runs out before delivery'
            when inventory_position < reorder_point then 'reorder'
            else 'ok'
        end as status,
        planned_at
    from leveled

)

select * from final
