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
        type,
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
        'stock' as type,
        format(
            'INFO · {} · {} further matters wait, {} of them about stock, with {:,.0f} at risk in all. '
            || 'The notification list shows them, the costliest first.',
            store_location,
            count(*),
            count(*) filter (where type = 'stock'),
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

final as (

    select
        type,
        notification,
        store_location,
        {{ iso_timestamp('last_seen_at') }} as event_timestamp,
        product_id,
        category
    from single_notifications

    union all

    select
        type,
        notification,
        store_location,
        {{ iso_timestamp('last_seen_at') }} as event_timestamp,
        product_id,
        category
    from digests

)

select * from final
