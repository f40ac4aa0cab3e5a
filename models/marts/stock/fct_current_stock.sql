with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

demand as (

    select * from {{ ref('int_product_demand') }}

),

policies as (

    select * from {{ ref('replenishment_policies') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- a spike is known by the reading after it, so the last reading is always a believed one
latest as (

    select *
    from levels
    where next_reading_at is null

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
        with_policy.event_timestamp < as_of.as_of - interval '{{ var("stale_after") }}' as is_stale,
        demand.daily_units_out,
        with_policy.service_z * sqrt(
            with_policy.lead_time_days * power(demand.daily_units_out_sd, 2)
            + power(demand.daily_units_out, 2) * power(with_policy.lead_time_sd_days, 2)
        ) as safety_stock
    from with_policy
    cross join as_of
    left join demand
        on
            with_policy.store_location = demand.store_location
            and with_policy.product_id = demand.product_id

),

measured as (

    select
        *,
        stock_level / nullif(daily_units_out, 0) as days_of_supply,
        daily_units_out * lead_time_days + safety_stock as reorder_point,
        -- what is going to be missed before a delivery ordered now arrives
        greatest(daily_units_out * lead_time_days - stock_level, 0) * price as value_at_risk
    from planned

),

final as (

    select
        store_location,
        category,
        product_id,
        stock_level as quantity,
        cast(price as double) as price,
        cast(stock_level * price as double) as stock_value,
        event_timestamp as last_reading_at,
        is_stale,
        daily_units_out,
        days_of_supply,
        lead_time_days,
        safety_stock,
        reorder_point,
        cast(
            case
                when stock_level < reorder_point
                    then ceil(reorder_point + daily_units_out * review_period_days - stock_level)
                else 0
            end as bigint
        ) as suggested_order,
        cast(coalesce(value_at_risk, 0) as double) as value_at_risk,
        stock_level = 0 as is_out_of_stock,
        case
            when stock_level = 0 then 'out of stock'
            when days_of_supply < lead_time_days then 'runs out before delivery'
            when stock_level < reorder_point then 'reorder'
            else 'ok'
        end as status
    from measured

)

select * from final
