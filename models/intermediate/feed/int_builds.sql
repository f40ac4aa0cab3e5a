{# A view: when it is published, it holds the end of the build that made it. #}
{{ config(materialized='view') }}

with

invocations as (

    select * from {{ ref('stg_build_audit__invocations') }}

),

checkpoints as (

    select * from {{ ref('stg_build_audit__checkpoints') }}

),

final as (

    select
        invocations.started_at,
        invocations.finished_at,
        checkpoints.reading_count,
        coalesce(invocations.passed_test_count, 0) as passed_test_count,
        coalesce(invocations.failed_count, 0) as failed_count,
        case
            when invocations.failed_count > 0 then 'failed'
            when invocations.finished_at is null then 'did not end'
            else 'good'
        end as outcome
    from invocations
    left join checkpoints
        on invocations.invocation_id = checkpoints.invocation_id
    where
        invocations.command = 'build'
        -- a frequent build without new readings would otherwise publish a new file that says nothing else
        and (
            checkpoints.last_batch_id is distinct from checkpoints.after_batch_id
            or invocations.failed_count > 0
            or invocations.finished_at is null
        )

)

select * from final
