{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='episode_id',
        on_schema_change='append_new_columns',
        full_refresh=false
    )
}}

with

episodes as (

    select * from {{ ref('int_notification_episodes') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

{% if is_incremental() %}

    known as (

        select * from {{ this }}

    ),

{% else %}

    known as (

        select
            *,
            cast(null as varchar) as episode_id,
            first_seen_at as began_at,
            first_seen_at as known_from,
            first_seen_at as known_until,
            0 as missing_builds,
            first_seen_at as counted_at,
            false as is_current,
            closed_times as cleared_times,
            closed_times as reopened_times,
            product_count as first_product_count,
            value_at_risk as first_value_at_risk
        from episodes
        where false

    ),

{% endif %}

-- A known id goes to the episode that contains the id's first occurrence, else to the newest episode that overlaps the
-- id's span so far, or finds the same again soon after it.
claims as (

    select
        known.*,
        episodes.first_seen_at as found_from
    from known
    inner join episodes
        on
            known.cause_id = episodes.cause_id
            and known.known_from <= episodes.last_seen_at
            and (
                known.known_until >= episodes.first_seen_at
                or (
                    known.detector = episodes.detector
                    and greatest(known.known_until, known.cleared_times[-1])
                    + to_days({{ var('reopens_within_days') }}) >= episodes.first_seen_at
                )
            )
    qualify
        row_number() over (
            partition by known.episode_id
            order by
                known.began_at between episodes.first_seen_at and episodes.last_seen_at desc,
                episodes.first_seen_at desc
        ) = 1

),

-- where a late reading joined episodes, the id of the first of them stays
kept as (

    select *
    from claims
    qualify
        row_number() over (
            partition by cause_id, found_from
            order by began_at
        ) = 1

),

current_episodes as (

    select
        episodes.*,
        true as is_current,
        coalesce(kept.episode_id, {{ row_digest(['episodes.cause_id', 'episodes.first_seen_at']) }}) as episode_id,
        coalesce(kept.began_at, episodes.first_seen_at) as began_at,
        least(kept.known_from, episodes.first_seen_at) as known_from,
        greatest(kept.known_until, episodes.last_seen_at) as known_until,
        0 as missing_builds,
        as_of.as_of as counted_at,
        coalesce(kept.cleared_times, []) as cleared_times,
        coalesce(kept.reopened_times, [])
        || case when kept.missing_builds = 2 then [as_of.as_of] else [] end as reopened_times,
        coalesce(kept.first_product_count, episodes.product_count) as first_product_count,
        coalesce(kept.first_value_at_risk, episodes.value_at_risk) as first_value_at_risk
    from episodes
    cross join as_of
    left join kept
        on
            episodes.cause_id = kept.cause_id
            and episodes.first_seen_at = kept.found_from

),

-- A state that cleared is resolved by the second build without it; a build without newer readings says nothing new. The
-- ids of vanished episodes come back if a withdrawal is undone.
past_episodes as (

    select
        known.* replace (
            false as is_current,
            case
                when as_of.as_of > known.counted_at then least(known.missing_builds + 1, 2)
                else known.missing_builds
            end as missing_builds,
            greatest(as_of.as_of, known.counted_at) as counted_at,
            case
                when as_of.as_of > known.counted_at and known.missing_builds = 1
                    then list_append(known.cleared_times, as_of.as_of)
                else known.cleared_times
            end as cleared_times
        )
    from known
    cross join as_of
    anti join current_episodes
        on known.episode_id = current_episodes.episode_id

),

final as (

    select * from current_episodes
    union all by name
    select * from past_episodes

)

-- all columns of the table before
select * from final -- noqa: AM04
