{{ config(tags=['frequent']) }}

with

supply as (

    select * from {{ ref('int_product_supply') }}

),

demand as (

    select * from {{ ref('int_product_demand') }}

),

history as (

    select * from {{ ref('int_product_history') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

planned as (

    select
        supply.*,
        as_of.as_of,
        rules.threshold as dead_after_days,
        history.last_out_at,
        history.planned_at,
        demand.daily_units_out,
        demand.daily_units_out_sd,
        -- a product that is newer than its last planning has its first reading just behind it
        (
            epoch_us({{ flows_known_until(
                'as_of.as_of', 'supply.last_reading_at', 'history.last_interval_us', 'supply.quantity'
            ) }})
            - epoch_us(coalesce(history.last_out_at, history.first_reading_at, supply.last_reading_at))
        ) / 86400e6 as days_without_out,
        supply.quantity / nullif(demand.daily_units_out, 0) as days_of_supply,
        supply.service_z * sqrt(
            supply.lead_time_days * power(demand.daily_units_out_sd, 2)
            + power(demand.daily_units_out, 2) * power(supply.lead_time_sd_days, 2)
        ) as safety_stock
    from supply
    cross join as_of
    inner join rules
        on rules.rule_id = 'dead_stock'
    left join demand
        on
            supply.store_location = demand.store_location
            and supply.product_id = demand.product_id
    left join history
        on
            supply.store_location = history.store_location
            and supply.product_id = history.product_id

),

leveled as (

    select
        *,
        daily_units_out * lead_time_days + safety_stock as reorder_point,
        daily_units_out * (lead_time_days + review_period_days) + safety_stock as order_up_to_level,
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
        lead_time_from,
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
        missed_units,
        cast(value_at_risk as double) as value_at_risk,
        due_quantity,
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
