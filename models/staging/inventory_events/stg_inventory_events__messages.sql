with

messages as (

    select * from {{ source('inventory_events', 'messages') }}

),

renamed as (

    select
        -- ids
        topic,
        partition as partition_number,
        ledger_id,
        entry_id,
        batch_index,
        product_id,
        store_location,

        -- text
        error as rejection_reason,
        try(decode(raw)) as rejected_text,
        md5(raw) as content_digest,

        -- booleans
        error is not null as is_quarantined,

        -- timestamps
        {{ utc('event_timestamp') }} as event_timestamp,
        {{ utc('publish_time') }} as published_at

    from messages

)

select * from renamed
