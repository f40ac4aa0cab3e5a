{{ config(tags=['frequent']) }}

with

stage_lags as (

    select * from {{ ref('fct_stage_lags') }}

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
