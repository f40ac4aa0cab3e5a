with

readings as (

    select * from {{ ref('stg_inventory_events__readings') }}

),

build_limits as (

    select
        late_before,
        -- a backfill reads old batches again
        case when backfill_from is null then after_batch_id else -1 end as after_batch_id
    from {{ ref('int_build_limits') }}

),

final as (

    select
        readings.product_id,
        readings.store_location,
        readings.batch_id,
        readings.topic,
        readings.partition_number,
        readings.ledger_id,
        readings.category,
        readings.extra,
        readings.event_month,
        readings.quantity,
        readings.price,
        readings.event_timestamp,
        readings.published_at,
        readings.arrival
    from readings
    inner join build_limits
        on
            readings.batch_id > build_limits.after_batch_id
            and readings.event_timestamp >= build_limits.late_before
    where readings.event_timestamp <= timestamp '{{ var("as_of") or "infinity" }}'

)

select * from final
