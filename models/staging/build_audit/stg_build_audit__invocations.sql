with

invocations as (

    select * from {{ source('build_audit', 'invocations') }}

),

final as (

    select
        -- ids
        invocation_id,

        -- text
        command,

        -- numerics
        passed_test_count,
        failed_count,

        -- timestamps
        started_at at time zone 'UTC' as started_at,
        finished_at at time zone 'UTC' as finished_at

    from invocations

)

select * from final
