with

episodes as (

    select * from {{ ref('fct_notification_episodes') }}

),

open_episodes as (

    select *
    from episodes
    where status = 'open'

),

single_notifications as (

    select
        notification_type,
        notification,
        store_location,
        last_seen_at,
        product_id,
        category
    from open_episodes
    where store_rank <= {{ var('notifications_per_store') }}

),

digests as (

    select
        'stock' as notification_type,
        format(
            'INFO · {} · {} further matters wait, {} of them about stock, with {:,.0f} at risk in all. '
            || 'The notification list shows them, the costliest first.',
            store_location,
            count(*),
            count(*) filter (where notification_type = 'stock'),
            sum(value_at_risk)
        ) as notification,
        store_location,
        max(last_seen_at) as last_seen_at,
        'N/A' as product_id,
        'N/A' as category
    from open_episodes
    where store_rank > {{ var('notifications_per_store') }}
    group by store_location

),

notifications as (

    select * from single_notifications
    union all by name
    select * from digests

),

final as (

    select
        -- the documented name of the column is a keyword
        notification_type as type,  -- noqa: RF04
        notification,
        store_location,
        {{ iso_timestamp('last_seen_at') }} as event_timestamp,
        product_id,
        category
    from notifications

)

select * from final
