with

checkpoints as (

    select * from {{ source('build_audit', 'checkpoints') }}

),

final as (

    select
        -- ids
        invocation_id,
        last_batch_id,
        after_batch_id,

        -- text
        settings,

        -- numerics
        reading_count,

        -- timestamps
        backfill_from,
        late_before

    from checkpoints

)

select * from final
