with

node_results as (

    select * from {{ source('build_audit', 'node_results') }}

),

final as (

    select
        -- ids
        invocation_id,
        node_id,

        -- text
        status,
        split_part(node_id, '.', 1) as resource_type,

        -- booleans
        status in ('fail', 'error') as is_failed,

        -- timestamps
        finished_at at time zone 'UTC' as finished_at

    from node_results

)

select * from final
