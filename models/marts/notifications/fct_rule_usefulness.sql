with

episodes as (

    select * from {{ ref('fct_notification_episodes') }}

),

answers as (

    select * from {{ ref('int_episode_answers') }}

),

detectors as (

    select * from {{ ref('int_detectors') }}

),

counted as (

    select
        episodes.detector,
        episodes.store_location,
        count(*) as episode_count,
        count(answers.episode_id) as answered_count,
        count(*) filter (where answers.is_expected) as expected_count
    from episodes
    left join answers
        on episodes.episode_id = answers.episode_id
    group by episodes.detector, episodes.store_location

),

final as (

    select
        counted.detector,
        detectors.label as detector_label,
        detectors.method,  -- noqa: RF04
        counted.store_location,
        counted.episode_count,
        counted.answered_count,
        counted.expected_count,
        counted.answered_count - counted.expected_count as useful_count,
        -- nobody's answer is no answer: what nobody acted on may be useful or not
        (counted.answered_count - counted.expected_count) / nullif(counted.answered_count, 0) as useful_share
    from counted
    left join detectors
        on counted.detector = detectors.detector

)

select * from final
