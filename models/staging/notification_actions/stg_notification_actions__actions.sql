with

messages as (

    {% if data_files_exist('landing_actions*/publish_date=*/*.parquet') %}
        select * from {{ source('notification_actions', 'landing_actions') }}
    {% else %}
        select
            null::varchar as action_id,
            null::varchar as episode_id,
            null::varchar as action,  -- noqa: RF04
            null::varchar as person,
            null::timestamptz as event_timestamp,
            null::timestamptz as snoozed_until,
            null::varchar as assignee,
            null::varchar as comment,  -- noqa: RF04
            null::varchar as extra,
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
        action_id,
        episode_id,
        person,
        assignee,

        -- text
        action,
        comment,

        -- what its episode was about
        extra ->> '$.rule_id' as rule_id,
        extra ->> '$.store_location' as store_location,
        extra ->> '$.category' as category,
        extra ->> '$.product_id' as product_id,
        try_cast(extra ->> '$.first_seen_at' as timestamp) as first_seen_at,
        try_cast(extra ->> '$.last_seen_at' as timestamp) as last_seen_at,

        -- timestamps
        {{ utc('event_timestamp') }} as acted_at,
        {{ utc('snoozed_until') }} as snoozed_until,
        row(publish_time, topic, partition, ledger_id, entry_id, batch_index) as arrival

    from messages
    where
        error is null
        -- a snooze without an end says nothing
        and (action <> 'snooze' or snoozed_until is not null)

),

deduplicated as (

    select *
    from renamed
    qualify row_number() over (partition by action_id order by arrival) = 1

)

select * from deduplicated
