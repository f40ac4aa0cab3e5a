with

messages as (

    {% if data_files_exist('landing_notes/publish_date=*/*.parquet') %}
        select * from {{ source('inventory_notes', 'landing_notes') }}
    {% else %}
        select
            null::varchar as note_id,
            null::varchar as product_id,
            null::varchar as category,
            null::varchar as store_location,
            null::varchar as note,
            null::timestamptz as event_timestamp,
            null::varchar as error,
            null::varchar as topic,
            null::bigint as partition,  -- noqa: RF04
            null::bigint as ledger_id,
            null::bigint as entry_id,
            null::bigint as batch_index,
            null::timestamptz as publish_time
        where false
    {% endif %}

),

renamed as (

    select
        -- ids
        note_id,
        product_id,
        store_location,

        -- text
        category,
        note,

        -- timestamps
        {{ utc('event_timestamp') }} as event_timestamp,
        {{ utc('publish_time') }} as published_at,
        row(publish_time, topic, partition, ledger_id, entry_id, batch_index) as arrival

    from messages
    where error is null

)

select * from renamed
