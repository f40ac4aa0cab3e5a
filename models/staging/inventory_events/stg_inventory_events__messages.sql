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

        -- text
        error as rejection_reason,
        md5(raw) as content_digest,

        -- booleans
        error is not null as is_quarantined,

        -- timestamps
        timezone('UTC', cast(publish_time as timestamptz)) as published_at

    from messages

)

select * from renamed
