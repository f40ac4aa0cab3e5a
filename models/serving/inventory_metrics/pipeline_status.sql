{{ config(materialized='view') }}

with

pipeline_status as (

    select * from {{ ref('fct_pipeline_status') }}

),

final as (

    select
        landed_count,
        quarantined_count,
        reading_count,
        implausible_count,
        quarantined_share,
        as_of
    from pipeline_status

)

select * from final
