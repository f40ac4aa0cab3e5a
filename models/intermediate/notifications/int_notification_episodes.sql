with

notifications as (

    select * from {{ ref('int_notifications') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

spaced as (

    select
        *,
        seen_at - lag(seen_at) over same_series > to_days(cooldown_days) as is_new_episode
    from notifications
    window
        same_series as (
            partition by detector, store_location, category, product_id
            order by seen_at
        )

),

numbered as (

    select
        *,
        count(*) filter (where is_new_episode) over (
            partition by detector, store_location, category, product_id
            order by seen_at
        ) as episode_number
    from spaced

),

-- An episode has the message of its last occurrence, and closes after its cooldown. A state has no cooldown: it is here
-- while it holds.
final as (

    select
        numbered.notification_type,
        numbered.severity,
        numbered.detector,
        numbered.store_location,
        numbered.category,
        numbered.product_id,
        min(numbered.seen_at) as first_seen_at,
        case
            when any_value(numbered.cooldown_days) is null then any_value(as_of.as_of) else max(numbered.seen_at)
        end as last_seen_at,
        count(*) as occurrence_count,
        arg_max(numbered.message, numbered.seen_at) as message,
        arg_max(numbered.value_at_risk, numbered.seen_at) as value_at_risk,
        coalesce(
            max(numbered.seen_at) >= any_value(as_of.as_of) - to_days(any_value(numbered.cooldown_days)), true
        ) as is_open
    from numbered
    cross join as_of
    group by
        numbered.notification_type,
        numbered.severity,
        numbered.detector,
        numbered.store_location,
        numbered.category,
        numbered.product_id,
        numbered.episode_number

)

select * from final
