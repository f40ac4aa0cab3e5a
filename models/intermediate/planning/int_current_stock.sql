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

planned as (

    select
        with_policy.*,
        as_of.as_of,
        rules.threshold as dead_after_days,
        history.last_out_at,
        history.planned_at,
        demand.daily_units_out,
        demand.daily_units_out_sd,
        -- a product that is newer than its last planning has its first reading just behind it
        (
            epoch_us({{ flows_known_until(
                'as_of.as_of', 'with_policy.last_reading_at', 'history.last_interval_us', 'with_policy.quantity'
            ) }})
            - epoch_us(coalesce(history.last_out_at, history.first_reading_at, with_policy.last_reading_at))
        ) / 86400e6 as days_without_out,
        with_policy.quantity / nullif(demand.daily_units_out, 0) as days_of_supply,
        with_policy.service_z * sqrt(
            with_policy.lead_time_days * power(demand.daily_units_out_sd, 2)
            + power(demand.daily_units_out, 2) * power(with_policy.lead_time_sd_days, 2)
        ) as safety_stock
    from with_policy
    cross join as_of
    inner join rules
        on rules.rule_id = 'dead_stock'
    left join demand
        on
            with_policy.store_location = demand.store_location
            and with_policy.product_id = demand.product_id
    left join history
        on
            with_policy.store_location = history.store_location
            and with_policy.product_id = history.product_id

),

leveled as (

    select
        *,
        daily_units_out * lead_time_days + safety_stock as reorder_point,
        daily_units_out * (lead_time_days + review_period_days) + safety_stock as order_up_to_level,
        -- greatest() skips NULL, and demand that is not known puts an unknown value at risk
        case
            when daily_units_out is not null
                -- the sales missed before a delivery ordered now arrives
                then greatest(daily_units_out * lead_time_days - quantity, 0) * price
        end as value_at_risk
    from planned

),

final as (

    select
        store_location,
        category,
        product_id,
        quantity,
        cast(price as double) as price,
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
        cast(
            case when quantity < reorder_point then ceil(order_up_to_level - quantity) else 0 end as bigint
        ) as suggested_order,
        case
            when order_up_to_level is not null
                then cast(greatest(quantity - ceil(order_up_to_level), 0) as bigint)
        end as excess_quantity,
        cast(excess_quantity * price as double) as excess_value,
        days_without_out,
        cast(value_at_risk as double) as value_at_risk,
        case
            when quantity = 0 then 'none on hand'
            when days_without_out >= dead_after_days then 'dead'
            when last_out_at is null then 'new'
            when daily_units_out = 0 or days_of_supply > {{ var('slow_days_of_supply') }} then 'slow'
            else 'moving'
        end as movement,
        case
            when quantity = 0 then 'out of stock'
            when days_of_supply < lead_time_days then 'runs out before delivery'
            when quantity < reorder_point then 'reorder'
            else 'ok'
        end as status,
        planned_at
    from leveled

)

select * from final
