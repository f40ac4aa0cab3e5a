with

episodes as (

    select * from {{ ref('fct_notification_episodes') }}

),

known_episodes as (

    select * from {{ ref('int_known_episodes') }}

),

actions as (

    select * from {{ ref('stg_notification_actions__actions') }}

),

actions_in_order as (

    select
        *,
        lead(acted_at) over (
            partition by episode_id, action = 'assign'
            order by acted_at, arrival
        ) as next_acted_at
    from actions
    where acted_at <= {{ build_time() }}

),

found as (

    select
        episode_id,
        known_from as changed_at,
        'found' as change_kind,
        'open' as status
    from known_episodes

),

found_again as (

    select
        episode_id,
        unnest(returned_times || reopened_times) as changed_at,
        'found again' as change_kind,
        'open' as status
    from known_episodes

),

cleared as (

    select
        episode_id,
        unnest(closed_times || cleared_times || case when not is_open then [closes_at] else [] end) as changed_at,
        'cleared' as change_kind,
        'resolved' as status
    from known_episodes

),

acted as (

    select
        episode_id,
        acted_at as changed_at,
        case action
            when 'acknowledge' then 'acknowledged'
            when 'snooze' then 'snoozed'
            when 'assign' then 'assigned'
            when 'resolve' then 'resolved'
            when 'reopen' then 'reopened'
            else 'expected'
        end as change_kind,
        case action
            when 'acknowledge' then 'acknowledged'
            when 'snooze' then 'snoozed'
            when 'reopen' then 'open'
            when 'assign' then null
            else 'resolved'
        end as status,
        person,
        assignee,
        snoozed_until,
        comment,  -- noqa: RF04
        arrival
    from actions_in_order

),

snooze_ended as (

    select
        episode_id,
        snoozed_until as changed_at,
        'snooze ended' as change_kind,
        'open' as status
    from actions_in_order
    where
        action = 'snooze'
        and snoozed_until <= {{ build_time() }}
        and coalesce(next_acted_at > snoozed_until, true)

),

-- what people said no longer holds: it got worse, or is there although it was resolved
overruled as (

    select
        episode_id,
        greatest(severity_reached_at, acted_at) as changed_at,
        case when severity_reached_at > acted_at then 'worsened' else 'found again' end as change_kind,
        status
    from episodes
    where
        status = 'open'
        and is_found_open
        and (severity_reached_at > acted_at or (last_action = 'resolve' and last_seen_at > acted_at))

),

changes as (

    select * from found
    union all by name
    select * from found_again
    union all by name
    select * from cleared
    union all by name
    select * from acted
    union all by name
    select * from snooze_ended
    union all by name
    select * from overruled

),

final as (

    select
        changes.episode_id,
        episodes.region,
        episodes.store_location,
        episodes.category,
        episodes.product_id,
        episodes.headline,
        changes.change_kind,
        changes.person,
        changes.assignee,
        changes.comment,  -- noqa: RF04
        changes.changed_at,
        changes.snoozed_until,
        cast(row_number() over in_order as integer) as change_number,
        -- an assignment leaves the status as it is
        last_value(changes.status ignore nulls) over in_order as status
    from changes
    inner join episodes
        on changes.episode_id = episodes.episode_id
    window
        in_order as (
            partition by changes.episode_id
            order by changes.changed_at, changes.arrival nulls last, changes.change_kind
            rows between unbounded preceding and current row
        )

)

select * from final
