{{ config(materialized='view') }}

with

actions as (

    select * from {{ ref('stg_notification_actions__actions') }}

),

-- an assignment says who, not what
final as (

    select
        episode_id,
        count(*) as action_count,
        min(acted_at) as first_acted_at,
        coalesce(
            arg_max(action = 'expected', row(acted_at, arrival)) filter (where action <> 'assign'), false
        ) as is_expected
    from actions
    group by episode_id

)

select * from final
