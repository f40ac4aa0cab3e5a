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
        detector as rule_id,
        notification,
        occurrence_count,
        value_at_risk,
        store_rank,
        first_seen_at,
        last_seen_at,
        coalesce(store_location, 'N/A') as store_location,
        coalesce(category, 'N/A') as category,
        coalesce(product_id, 'N/A') as product_id
    from episodes

)

select * from final
