{{ config(materialized='view') }}

with

builds as (

    select * from {{ ref('int_builds') }}

),

final as (

    select
        started_at,
        finished_at,
        reading_count,
        passed_test_count,
        failed_count,
        outcome
    from builds

)

select * from final
