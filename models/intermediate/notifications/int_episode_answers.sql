{{ config(materialized='view') }}

with

actions as (

    select * from {{ ref('stg_notification_actions__actions') }}

),

-- an assignment says who, not what
final as (

    select
        episode_id,
        coalesce(
            arg_max(action = 'expected', row(acted_at, arrival)) filter (where action <> 'assign'), false
        ) as is_expected,
        any_value(rule_id) as rule_id,
        any_value(store_location) as store_location,
        any_value(category) as category,
        any_value(product_id) as product_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from actions
    group by episode_id

)

select * from final
