with

messages as (

    {% for folder in message_folders() %}
        select * from {{ source('inventory_events', folder) }}
        {{ "union all by name" if not loop.last }}
    {% endfor %}

),

-- raw was refined without these; a data folder in which nothing was ever withdrawn has no such file
withdrawn as (

    {% if withdrawals_in_raw() or not execute %}
        select * from {{ source('inventory_events', 'withdrawn') }}
    {% else %}
        select
            topic,
            partition,
            ledger_id,
            entry_id as first_entry_id,
            entry_id as last_entry_id,
            publish_time as published_until
        from messages
        where false
    {% endif %}

),

counted as (

    select messages.*
    from messages
    anti join withdrawn
        on
            messages.topic = withdrawn.topic
            and messages.partition = withdrawn.partition
            and messages.ledger_id = withdrawn.ledger_id
            and messages.entry_id between withdrawn.first_entry_id and withdrawn.last_entry_id
            and messages.publish_time <= withdrawn.published_until

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

    from counted

)

select * from renamed
