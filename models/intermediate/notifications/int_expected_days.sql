{{ config(materialized='view') }}

with

answers as (

    select * from {{ ref('int_episode_answers') }}

),

demand_panel as (

    select * from {{ ref('int_demand_panel') }}

),

detectors as (

    select * from {{ ref('detectors') }}

),

final as (

    select distinct
        demand_panel.unique_id,
        demand_panel.ds
    from demand_panel
    inner join answers
        on
            demand_panel.store_location = answers.store_location
            and coalesce(demand_panel.category, 'N/A') = answers.category
            and demand_panel.ds between date_trunc('day', answers.first_seen_at) and answers.last_seen_at
    inner join detectors
        on answers.rule_id = detectors.detector
    where
        answers.is_expected
        and detectors.looks_at = 'panel'

)

select * from final
