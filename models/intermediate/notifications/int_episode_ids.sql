{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='episode_id',
        on_schema_change='fail',
        full_refresh=false
    )
}}

with

episodes as (

    select * from {{ ref('int_notification_episodes') }}

),

{% if is_incremental() %}

    known as (

        select * from {{ this }}

    ),

{% else %}

    known as (

        select
            detector,
            store_location,
            category,
            product_id,
            first_seen_at as began_at,
            first_seen_at,
            first_seen_at as known_from,
            first_seen_at as known_until,
            cast(null as varchar) as episode_id
        from episodes
        where false

    ),

{% endif %}

-- A known id goes to the episode that contains the id's first occurrence, else to the newest episode that overlaps the
-- id's span so far.
claims as (

    select
        known.episode_id,
        known.began_at,
        known.known_from,
        known.known_until,
        episodes.detector,
        episodes.store_location,
        episodes.category,
        episodes.product_id,
        episodes.first_seen_at
    from known
    inner join episodes
        on
            known.detector = episodes.detector
            and known.store_location is not distinct from episodes.store_location
            and known.category is not distinct from episodes.category
            and known.product_id is not distinct from episodes.product_id
            and known.known_from <= episodes.last_seen_at
            and known.known_until >= episodes.first_seen_at
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
            partition by detector, store_location, category, product_id, first_seen_at
            order by began_at
        ) = 1

),

current_ids as (

    select
        episodes.detector,
        episodes.store_location,
        episodes.category,
        episodes.product_id,
        episodes.first_seen_at,
        true as is_current,
        coalesce(
            kept.episode_id,
            {{ row_digest([
                'episodes.detector', 'episodes.store_location', 'episodes.category', 'episodes.product_id',
                'episodes.first_seen_at'
            ]) }}
        ) as episode_id,
        coalesce(kept.began_at, episodes.first_seen_at) as began_at,
        least(kept.known_from, episodes.first_seen_at) as known_from,
        greatest(kept.known_until, episodes.last_seen_at) as known_until
    from episodes
    left join kept
        on
            episodes.detector = kept.detector
            and episodes.store_location is not distinct from kept.store_location
            and episodes.category is not distinct from kept.category
            and episodes.product_id is not distinct from kept.product_id
            and episodes.first_seen_at = kept.first_seen_at

),

-- keep the ids of vanished episodes: they come back if a withdrawal is undone
past_ids as (

    select
        known.detector,
        known.store_location,
        known.category,
        known.product_id,
        known.first_seen_at,
        false as is_current,
        known.episode_id,
        known.began_at,
        known.known_from,
        known.known_until
    from known
    anti join current_ids
        on known.episode_id = current_ids.episode_id

),

final as (

    select * from current_ids
    union all by name
    select * from past_ids

)

select * from final
