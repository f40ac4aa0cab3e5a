{{ config(tags=['across_stores']) }}

with

messages as (

    select * from {{ ref('stg_inventory_events__messages') }}

),

readings as (

    select * from {{ ref('stg_inventory_events__readings') }}

),

levels as (

    select * from {{ ref('int_stock_levels') }}

),

good_messages as (

    select
        *,
        date_trunc('hour', published_at) as batch_hour
    from messages
    where not is_quarantined

),

batches as (

    select
        topic,
        partition_number,
        ledger_id,
        batch_hour,
        count(*) as message_count
    from good_messages
    group by topic, partition_number, ledger_id, batch_hour

),

-- the readings that first arrived with the batch
fresh as (

    select
        topic,
        partition_number,
        ledger_id,
        date_trunc('hour', published_at) as batch_hour,
        count(*) as fresh_count
    from readings
    group by topic, partition_number, ledger_id, batch_hour

),

counted as (

    select
        batches.*,
        coalesce(fresh.fresh_count, 0) as fresh_count
    from batches
    left join fresh
        on
            batches.topic = fresh.topic
            and batches.partition_number = fresh.partition_number
            and batches.ledger_id = fresh.ledger_id
            and batches.batch_hour = fresh.batch_hour

),

-- batches of at least a hundred messages with hardly anything new; there are few, so few messages are compared singly
candidates as (

    select *
    from counted
    where
        message_count >= 100
        and fresh_count * 2 < message_count

),

candidate_messages as (

    select
        good_messages.topic,
        good_messages.partition_number,
        good_messages.ledger_id,
        good_messages.batch_hour,
        good_messages.store_location,
        good_messages.product_id,
        good_messages.event_timestamp,
        candidates.message_count,
        candidates.fresh_count
    from good_messages
    inner join candidates
        on
            good_messages.topic = candidates.topic
            and good_messages.partition_number = candidates.partition_number
            and good_messages.ledger_id = candidates.ledger_id
            and good_messages.batch_hour = candidates.batch_hour

),

final as (

    select
        topic,
        partition_number,
        ledger_id,
        batch_hour,
        message_count,
        fresh_count,
        count(*) as known_count
    from candidate_messages
    -- a message that is landed and not yet refined is not a repeat
    where
        exists (
            select 1
            from levels
            where
                levels.store_location = candidate_messages.store_location
                and levels.product_id = candidate_messages.product_id
                and levels.event_timestamp = candidate_messages.event_timestamp
        )
    group by topic, partition_number, ledger_id, batch_hour, message_count, fresh_count

)

select * from final
