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
        rule_id,
        notification,
        occurrence_count,
        value_at_risk,
        store_rank,
        coalesce(store_location, 'N/A') as store_location,
        coalesce(category, 'N/A') as category,
        coalesce(product_id, 'N/A') as product_id,
        strftime(first_seen_at, '%Y-%m-%d %H:%M:%S') as first_seen_at,
        strftime(last_seen_at, '%Y-%m-%d %H:%M:%S') as last_seen_at
    from episodes

)

select * from final
