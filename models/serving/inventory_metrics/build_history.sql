{{ config(materialized='view') }}

with

build_history as (

    select * from {{ ref('fct_build_history') }}

),

final as (

    select
        started_at,
        finished_at,
        reading_count,
        passed_test_count,
        failed_count,
        outcome
    from build_history

)

select * from final
