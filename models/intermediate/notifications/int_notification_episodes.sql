{%- set severities = "['critical', 'high', 'medium', 'info']" -%}

with

notifications as (

    select * from {{ ref('int_notifications') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- a state lasts until it clears; what happened once lasts for its cooldown, and may return in the days after that
lasting as (

    select
        notifications.*,
        as_of.as_of,
        notifications.cooldown_days is null as is_state,
        case
            when notifications.cooldown_days is null then timestamp 'infinity'
            else notifications.seen_at + to_days(notifications.cooldown_days)
        end as closes_at,
        case
            when notifications.cooldown_days is null then timestamp 'infinity'
            else notifications.seen_at + to_days(notifications.cooldown_days + {{ var('reopens_within_days') }})
        end as returns_until
    from notifications
    cross join as_of

),

spaced as (

    select
        *,
        max(closes_at) over before_it as closed_at,
        seen_at > max(closes_at) over before_it as is_apart,
        is_apart and seen_at <= max(returns_until) over of_its_detector_before_it as is_return,
        is_apart and not coalesce(is_return, false) as is_new_episode
    from lasting
    window
        before_it as (
            partition by cause_id
            order by seen_at, anomaly_id
            rows between unbounded preceding and 1 preceding
        ),
        of_its_detector_before_it as (
            partition by cause_id, detector
            order by seen_at, anomaly_id
            rows between unbounded preceding and 1 preceding
        )

),

numbered as (

    select
        *,
        count(*) filter (where is_new_episode) over (
            partition by cause_id
            order by seen_at, anomaly_id
            rows between unbounded preceding and current row
        ) as episode_number
    from spaced

),

spans as (

    select
        *,
        min(seen_at) over same_episode as first_seen_at,
        case when bool_or(is_state) over same_episode then as_of else max(seen_at) over same_episode end
            as last_seen_at
    from numbered
    window same_episode as (partition by cause_id, episode_number)

),

-- what holds at the end of the episode, each fact of a product once
facts as (

    select *
    from spans
    where closes_at >= last_seen_at
    qualify
        row_number() over (
            partition by cause_id, episode_number, detector, store_location, category, product_id
            order by seen_at desc, anomaly_id asc
        ) = 1

),

shared_values as (

    select
        cause_id,
        episode_number,
        {{ exact_sum('value_at_risk') }} as shared_value
    from facts
    where product_id is not null
    group by cause_id, episode_number

),

valued as (

    select
        facts.* exclude (value_at_risk), -- noqa: RF02
        facts.value_at_risk as own_value_at_risk,
        facts.cause in ('product', 'category', 'store', 'intake') as is_single,
        case when is_single then facts.value_at_risk else shared_values.shared_value end as ranked_value
    from facts
    left join shared_values
        on
            facts.cause_id = shared_values.cause_id
            and facts.episode_number = shared_values.episode_number

),

-- A detector says how bad its kind may be. Below a share of the store's stock value it is one step less, and below a
-- tenth of that another.
ranked as (

    select
        *,
        {{ severe_value('store_value') }} as severe_from,
        least(
            list_position({{ severities }}, severity)
            + case
                when not is_ranked_by_value or ranked_value is null or store_value is null then 0
                when ranked_value >= severe_from then 0
                when ranked_value >= severe_from / 10 then 1
                else 2
            end,
            4
        ) as severity_rank,
        row_number() over (
            partition by cause_id, episode_number
            order by
                not is_single and product_id is null,
                severity_rank asc,
                own_value_at_risk desc,
                seen_at desc,
                detector asc,
                store_location asc,
                product_id asc
        ) as fact_rank
    from valued

),

grouped as (

    select
        cause_id,
        episode_number,
        any_value(cause) as cause,
        any_value(reason) as reason,
        any_value(region) as region,
        -- what else was found on the product is the store's alone
        coalesce(bool_and(is_covered_by_region), false) as is_covered_by_region,
        any_value(is_single) as is_single,
        bool_or(is_state) as is_state,
        case
            when count(distinct store_location) = 1 and any_value(cause) <> 'region_stock_out'
                then min(store_location)
        end as store_location,
        case when count(distinct category) = 1 then min(category) end as category,
        case when count(distinct product_id) = 1 then min(product_id) end as product_id,
        case when count(distinct product_id) = 1 then min(product_label) end as product_label,
        arg_min(notification_type, fact_rank) as notification_type,
        arg_min(detector, fact_rank) as detector,
        min(severity_rank) as severity_rank,
        min_by(seen_at, (severity_rank, seen_at)) as severity_reached_at,
        max(case when is_single then own_value_at_risk else ranked_value end) as value_at_risk,
        count(distinct row(store_location, product_id)) filter (where product_id is not null) as product_count,
        arg_min(message, fact_rank) as first_message,
        arg_min(product_label, fact_rank) as first_product,
        string_agg(' It also ' || finding || '.', '' order by fact_rank) filter (where fact_rank > 1)
            as other_findings,
        list(product_label order by fact_rank) filter (where product_label is not null) as products,
        {{ exact_sum('daily_units_out') }} as daily_units_out,
        max(lead_time_days) as lead_time_days,
        cast(sum(suggested_order) as bigint) as suggested_order,
        min(observed_value) filter (where detector = 'stale_product') as silent_hours
    from ranked
    group by cause_id, episode_number

),

histories as (

    select
        cause_id,
        episode_number,
        any_value(as_of) as as_of,
        any_value(first_seen_at) as first_seen_at,
        any_value(last_seen_at) as last_seen_at,
        max(closes_at) as closes_at,
        count(*) as occurrence_count,
        coalesce(list(closed_at order by seen_at) filter (where is_return), []) as closed_times,
        coalesce(list(seen_at order by seen_at) filter (where is_return), []) as returned_times
    from spans
    group by cause_id, episode_number

),

named as (

    select
        *,
        array_to_string(products[:3], ', ')
        || case when len(products) > 3 then format(' and {:,} more', len(products) - 3) else '' end as product_names,
        case
            when suggested_order > 0 then format('Ask the supplier, and order {:,} units in all.', suggested_order)
            else 'Ask the supplier.'
        end as advice
    from grouped

),

worded as (

    select
        *,
        case cause
            when 'region_stock_out'
                then format(
                    '{}. Daily depletion there was {} units in all, and a new order takes {:.0f} {}. '
                    || 'Sales at risk until a delivery: {}. {}',
                    reason,
                    {{ rate_text('daily_units_out') }},
                    lead_time_days,
                    case when lead_time_days = 1 then 'day' else 'days' end,
                    {{ money_text('value_at_risk') }},
                    advice
                )
            when 'missed_delivery'
                then format(
                    '{}. They are {}. A delivery may not have come. Sales at risk until one does: {}. {}',
                    reason,
                    product_names,
                    {{ money_text('value_at_risk') }},
                    advice
                )
            when 'overdue_order'
                then format(
                    '{}{}. {} Ask the supplier, then enter the new date, or cancel the order and order again.',
                    reason,
                    -- a single product stands before the message
                    case when product_id is null then ': ' || product_names else '' end,
                    case
                        when value_at_risk = 0 then 'No sales are at risk yet.'
                        else format('Sales at risk until it comes: {}.', {{ money_text('value_at_risk') }})
                    end
                )
            when 'silence'
                then format(
                    '{} for {:,.0f} hours or more. They are {}. What is shown for them is old. '
                    || 'Check the scanner or the connection.',
                    reason, silent_hours, product_names
                )
            when 'same_day_fault'
                then format(
                    '{}. They are {}. Look for one cause, such as a scanner or a file. {} {}',
                    reason, product_names, first_product, first_message
                )
            else
                concat(
                    first_message,
                    other_findings,
                    -- a store does not learn what other stores hold
                    case when region is not null then ' Ask the supplier whether it can deliver.' end
                )
        end as message
    from named

),

final as (

    select
        worded.cause_id,
        worded.cause,
        worded.notification_type,
        ({{ severities }})[worded.severity_rank] as severity,
        cast(worded.severity_rank as integer) as severity_rank,
        worded.severity_reached_at,
        worded.detector,
        worded.region,
        worded.is_covered_by_region,
        worded.store_location,
        worded.category,
        worded.product_id,
        worded.product_label,
        worded.product_count,
        worded.message,
        worded.value_at_risk,
        worded.is_state,
        histories.first_seen_at,
        histories.last_seen_at,
        histories.occurrence_count,
        case when not worded.is_state then histories.closes_at end as closes_at,
        histories.closes_at >= histories.as_of as is_open,
        histories.closed_times,
        histories.returned_times
    from worded
    inner join histories
        on
            worded.cause_id = histories.cause_id
            and worded.episode_number = histories.episode_number

)

select * from final
