{{ config(materialized='view', tags=['across_stores']) }}

with

stage_lags as (

    select * from {{ ref('stg_live__stage_lags') }}

),

final as (

    select
        stage,
        lag_seconds,
        newest_message_at,
        measured_at
    from stage_lags

)

select * from final
