with

episodes as (

    select * from {{ ref('fct_notification_episodes') }}

),

final as (

    select
        episode_id,
        -- the column is named as in dashboard_notifications
        notification_type as type,  -- noqa: RF04
        severity,
        severity_rank,
        status,
        needs_attention,
        cause,
        detector as rule_id,
        notification,
        headline,
        product_count,
        occurrence_count,
        reopened_count,
        value_at_risk,
        store_rank,
        first_seen_at,
        last_seen_at,
        severity_reached_at,
        is_found_open,
        is_clearing,
        is_covered_by_region,
        store_or_region,
        assignee,
        snoozed_until,
        acted_by,
        acted_at,
        comment,  -- noqa: RF04
        coalesce(region, 'N/A') as region,
        coalesce(store_location, 'N/A') as store_location,
        coalesce(category, 'N/A') as category,
        coalesce(product_id, 'N/A') as product_id
    from episodes

)

select * from final
