with

order_lines as (

    select * from {{ ref('int_order_lines') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- Lines of one order that come together are one delivery. An order that was received as it was placed was entered late.
deliveries as (

    select distinct
        order_lines.store_location,
        order_lines.supplier,
        order_lines.order_id,
        order_lines.ordered_at,
        date_sub('second', order_lines.ordered_at, order_lines.received_at) as lead_time_seconds,
        date_sub('second', order_lines.ordered_at, as_of.as_of) as ordered_seconds_ago
    from order_lines
    cross join as_of
    where
        order_lines.supplier is not null
        and order_lines.cancelled_at is null
        and order_lines.received_at > order_lines.ordered_at
        and order_lines.received_at <= as_of.as_of
        and order_lines.ordered_at > as_of.as_of - interval '{{ var("planning_weeks") }} weeks'

),

-- how late the latest came says little about the others, and may be a mistake: of twenty, it counts as the one before
limits as (

    select
        store_location,
        supplier,
        least(
            quantile_disc(lead_time_seconds, 0.95),
            3 * greatest(quantile_disc(lead_time_seconds, 0.5), 86400)
        ) as longest_seconds
    from deliveries
    group by store_location, supplier

),

-- Of orders placed more recently the slow ones are not here yet: those that are would make deliveries look too fast.
judged as (

    select
        deliveries.store_location,
        deliveries.supplier,
        least(deliveries.lead_time_seconds, limits.longest_seconds) as lead_time_seconds
    from deliveries
    inner join limits
        on
            deliveries.store_location = limits.store_location
            and deliveries.supplier = limits.supplier
            and deliveries.ordered_seconds_ago >= limits.longest_seconds

),

-- sums of whole seconds are exact in any order
summed as (

    select
        store_location,
        supplier,
        count(*) as delivery_count,
        sum(lead_time_seconds) as total,
        sum(lead_time_seconds * lead_time_seconds) as total_of_squares
    from judged
    group by store_location, supplier

),

-- more digits would be chance, and a manager can work out what follows from these
final as (

    select
        store_location,
        supplier,
        delivery_count,
        round(total / delivery_count / 86400, 1) as lead_time_days,
        round(
            sqrt((delivery_count * total_of_squares - total * total) / (delivery_count * (delivery_count - 1)))
            / 86400,
            1
        ) as lead_time_sd_days
    from summed
    where delivery_count >= {{ var('lead_time_deliveries') }}

)

select * from final
