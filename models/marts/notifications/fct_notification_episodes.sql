with

episodes as (

    select * from {{ ref('int_known_episodes') }}

),

actions as (

    select * from {{ ref('stg_notification_actions__actions') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

stores as (

    select * from {{ ref('int_stores') }}

),

last_actions as (

    select
        episode_id,
        arg_max(action, place) filter (where action <> 'assign') as last_action,
        arg_max(person, place) filter (where action <> 'assign') as acted_by,
        max(acted_at) filter (where action <> 'assign') as acted_at,
        arg_max(snoozed_until, place) as snoozed_until,
        -- an assignment to nobody takes the last one back
        arg_max_null(assignee, place) filter (where action = 'assign') as assignee,
        arg_max(comment, place) filter (where comment is not null) as comment,  -- noqa: RF04
        count(*) filter (where action = 'reopen') as reopen_count
    from (
        select
            *,
            row_number() over (
                partition by episode_id
                order by acted_at, arrival
            ) as place
        from actions
        where acted_at <= {{ build_time() }}
    )
    group by episode_id

),

-- An event whose readings were withdrawn never happened. A state that cleared did hold, and is resolved by the second
-- build without it.
acted as (

    select
        episodes.*,
        last_actions.last_action,
        last_actions.acted_by,
        last_actions.acted_at,
        last_actions.snoozed_until,
        last_actions.assignee,
        last_actions.comment,
        episodes.is_open and episodes.missing_builds < 2 as is_found_open,
        episodes.is_open and episodes.missing_builds = 1 as is_clearing,
        coalesce(last_actions.reopen_count, 0) as reopen_count
    from episodes
    left join last_actions
        on episodes.episode_id = last_actions.episode_id
    where episodes.is_current or episodes.is_state

),

-- what people said holds until the episode gets worse, or comes back
judged as (

    select
        *,
        last_action = 'resolve' and last_seen_at > acted_at as is_seen_again,
        case
            when not is_found_open then 'resolved'
            when last_action is null or last_action = 'reopen' then 'open'
            when greatest(severity_reached_at, reopened_times[-1], returned_times[-1]) > acted_at then 'open'
            when last_action = 'acknowledge' then 'acknowledged'
            when last_action = 'expected' then 'resolved'
            when last_action = 'resolve' and not is_seen_again then 'resolved'
            when last_action = 'snooze' and snoozed_until > {{ build_time() }} then 'snoozed'
            else 'open'
        end as status
    from acted

),

-- from the second day on: since when, and what has changed
dated as (

    select
        judged.*,
        case
            when judged.is_found_open and judged.severity_reached_at <= as_of.as_of - interval '1 day'
                then concat(
                    ' Open since ',
                    case
                        when judged.severity_reached_at > as_of.as_of - interval '6 days'
                            then dayname(judged.severity_reached_at)
                        else strftime(judged.severity_reached_at, '%-d %B')
                    end,
                    case
                        when judged.product_count <> judged.first_product_count
                            then format(
                                '; was {:,} products, now {:,}', judged.first_product_count, judged.product_count
                            )
                        when abs(judged.value_at_risk - judged.first_value_at_risk) > judged.first_value_at_risk / 10
                            then format(
                                '; at risk were {}, now {}',
                                {{ money_text('judged.first_value_at_risk') }},
                                {{ money_text('judged.value_at_risk') }}
                            )
                    end,
                    '.'
                )
        end as since
    from judged
    cross join as_of

),

located as (

    select
        dated.*,
        case
            when dated.cause = 'region_stock_out' and dated.region <> 'Unknown' then dated.region
            when dated.store_location is null then 'All stores'
            else concat_ws(' ', dated.store_location, nullif(stores.name, dated.store_location))
        end as store_or_region
    from dated
    left join stores
        on dated.store_location = stores.store_location

),

worded as (

    select
        *,
        -- product and category are named where the episode is about a single one
        concat_ws(
            ' ',
            concat_ws(
                ' · ',
                upper(severity),
                case when cause <> 'intake' then store_or_region end,
                coalesce(product_label, product_id, category),
                case when cause = 'intake' then message end
            ),
            case when cause <> 'intake' then message end
        ) || coalesce(since, '') as notification
    from located

),

ranked as (

    select
        *,
        status = 'open' and not is_clearing and severity <> 'info' as may_need_attention,
        row_number() over (
            partition by store_location, status
            order by
                severity_rank asc,
                value_at_risk desc,
                last_seen_at desc,
                cause asc,
                category asc,
                product_id asc,
                first_seen_at asc,
                episode_id asc
        ) as store_rank,
        row_number() over (
            partition by store_location, notification_type, may_need_attention
            order by severity_rank asc, value_at_risk desc, episode_id asc
        ) as type_rank
    from worded

),

-- the greatest of each type has a place, so that what is most frequent does not take all of them
placed as (

    select
        *,
        row_number() over (
            partition by store_location, may_need_attention
            order by type_rank = 1 desc, severity_rank asc, store_rank asc
        ) as place
    from ranked

),

final as (

    select
        episode_id,
        notification_type,
        severity,
        severity_rank,
        status,
        may_need_attention and place <= {{ var('notifications_per_store') }} as needs_attention,
        cause,
        detector,
        region,
        coalesce(is_covered_by_region, false) as is_covered_by_region,
        store_location,
        store_or_region,
        category,
        product_id,
        product_count,
        notification,
        concat_ws(
            ' ',
            coalesce(product_label, product_id, category, case when cause <> 'intake' then store_or_region end),
            coalesce(nullif(regexp_extract(message, '(?s)^(.*?)([.]$|[.;] )', 1), ''), message)
        ) as headline,
        first_seen_at,
        last_seen_at,
        occurrence_count,
        value_at_risk,
        store_rank,
        is_found_open,
        is_clearing,
        severity_reached_at,
        assignee,
        case when status = 'snoozed' then snoozed_until end as snoozed_until,
        last_action,
        acted_by,
        acted_at,
        comment,  -- noqa: RF04
        cast(
            reopen_count + len(reopened_times) + len(returned_times) + cast(coalesce(is_seen_again, false) as integer)
            as integer
        ) as reopened_count
    from placed

)

select * from final
