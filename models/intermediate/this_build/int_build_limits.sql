{{ config(tags=['same_in_every_shard']) }}

with

checkpoints as (

    select * from {{ ref('stg_build_audit__checkpoints') }}

),

final as (

    select
        after_batch_id,
        backfill_from,
        late_before
    from checkpoints
    where
        invocation_id = '{{ invocation_id }}'
        and after_batch_id is not null

)

select * from final
