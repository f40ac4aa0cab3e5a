{# A view: when it is published, it holds the end and all results of the build that made it. #}
{{ config(materialized='view') }}

with

invocations as (

    select * from {{ ref('stg_build_audit__invocations') }}

),

node_results as (

    select * from {{ ref('stg_build_audit__node_results') }}

),

checkpoints as (

    select * from {{ ref('stg_build_audit__checkpoints') }}

),

result_counts as (

    select
        invocation_id,
        count(distinct node_id) filter (
            where resource_type in ('test', 'unit_test') and status in ('pass', 'warn')
        ) as passed_test_count,
        count(distinct node_id) filter (where is_failed) as failed_count
    from node_results
    group by invocation_id

),

final as (

    select
        invocations.started_at,
        invocations.finished_at,
        checkpoints.reading_count,
        coalesce(result_counts.passed_test_count, 0) as passed_test_count,
        coalesce(result_counts.failed_count, 0) as failed_count,
        case
            when result_counts.failed_count > 0 then 'failed'
            when invocations.finished_at is null then 'did not end'
            else 'good'
        end as outcome
    from invocations
    left join result_counts
        on invocations.invocation_id = result_counts.invocation_id
    left join checkpoints
        on invocations.invocation_id = checkpoints.invocation_id
    where
        invocations.command = 'build'
        -- a frequent build without new readings would otherwise publish a new file that says nothing else
        and (
            checkpoints.last_batch_id is distinct from checkpoints.after_batch_id
            or result_counts.failed_count > 0
            or invocations.finished_at is null
        )

)

select * from final
