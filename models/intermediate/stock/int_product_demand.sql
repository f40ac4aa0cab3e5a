{% set demand_window = "interval '" ~ var('demand_window_days') ~ " days'" %}

with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

quantity_anomalies as (

    select * from {{ ref('int_quantity_anomalies') }}

),

-- what falls from a level that was never on the shelf is no demand
plausible_levels as (

    select levels.*
    from levels
    left join quantity_anomalies
        on
            quantity_anomalies.rule_id = 'quantity_jump'
            and levels.store_location = quantity_anomalies.store_location
            and levels.product_id = quantity_anomalies.product_id
            and levels.event_timestamp = quantity_anomalies.event_timestamp
    where
        not levels.is_suspect
        and quantity_anomalies.rule_id is null

),

-- how long each level stood, and what had gone out when it was read
intervals as (

    select
        plausible_levels.store_location,
        plausible_levels.product_id,
        plausible_levels.event_timestamp,
        as_of.as_of,
        plausible_levels.stock_level,
        coalesce(
            greatest(lag(plausible_levels.stock_level) over product_readings - plausible_levels.stock_level, 0), 0
        ) as units_out,
        coalesce(lead(plausible_levels.event_timestamp) over product_readings, as_of.as_of) as stands_until
    from plausible_levels
    cross join as_of
    window
        product_readings as (
            partition by plausible_levels.store_location, plausible_levels.product_id
            order by plausible_levels.event_timestamp
        )

),

in_window as (

    select
        store_location,
        product_id,
        cast(event_timestamp as date) as event_date,
        case when event_timestamp > as_of - {{ demand_window }} then units_out else 0 end as units_out,
        case
            when stock_level > 0
                then epoch_us(stands_until) - epoch_us(greatest(event_timestamp, as_of - {{ demand_window }}))
            else 0
        end as in_stock_us
    from intervals
    where stands_until > as_of - {{ demand_window }}

),

days as (

    select
        store_location,
        product_id,
        event_date,
        sum(units_out) as units_out,
        sum(in_stock_us) as in_stock_us
    from in_window
    group by store_location, product_id, event_date

),

final as (

    select
        store_location,
        product_id,
        cast(sum(units_out) as bigint) as units_out,
        sum(in_stock_us) / 86400e6 as days_in_stock,
        sum(units_out) / nullif(sum(in_stock_us) / 86400e6, 0) as daily_units_out,
        -- days without a reading sold nothing that was seen; they count as zeros
        sqrt(
            greatest(
                sum(units_out * units_out)
                - sum(units_out) * sum(units_out) / {{ var('demand_window_days') }},
                0
            ) / ({{ var('demand_window_days') }} - 1)
        ) as daily_units_out_sd
    from days
    group by store_location, product_id

)

select * from final
