with

episodes as (

    select * from {{ ref('int_notification_episodes') }}

),

episode_ids as (

    select * from {{ ref('int_episode_ids') }}

),

worded as (

    select
        episodes.*,
        episode_ids.episode_id,
        case when episodes.is_open then 'open' else 'resolved' end as status,
        case episodes.severity
            when 'critical' then 1
            when 'high' then 2
            when 'medium' then 3
            else 4
        end as severity_rank,
        -- product and category are named where the episode is about a single one
        concat_ws(
            ' ',
            concat_ws(
                ' · ',
                upper(episodes.severity),
                episodes.store_location,
                coalesce(episodes.product_id, episodes.category),
                case when episodes.store_location is null then episodes.message end
            ),
            case when episodes.store_location is not null then episodes.message end
        ) as notification
    from episodes
    inner join episode_ids
        on
            episode_ids.is_current
            and episodes.detector = episode_ids.detector
            and episodes.store_location is not distinct from episode_ids.store_location
            and episodes.category is not distinct from episode_ids.category
            and episodes.product_id is not distinct from episode_ids.product_id
            and episodes.first_seen_at = episode_ids.first_seen_at

),

final as (

    select
        episode_id,
        notification_type,
        severity,
        severity_rank,
        status,
        detector,
        store_location,
        category,
        product_id,
        notification,
        first_seen_at,
        last_seen_at,
        occurrence_count,
        cast(value_at_risk as double) as value_at_risk,
        row_number() over (
            partition by store_location, status
            order by
                severity_rank asc,
                value_at_risk desc,
                last_seen_at desc,
                detector asc,
                category asc,
                product_id asc,
                first_seen_at asc
        ) as store_rank
    from worded

)

select * from final
