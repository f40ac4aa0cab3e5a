with

messages as (

    select * from {{ ref('stg_inventory_events__messages') }}

),

levels as (

    select * from {{ ref('int_stock_levels') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

message_counts as (

    select
        count(*) filter (where not is_quarantined) as landed_count,
        count(*) filter (where is_quarantined) as quarantined_count
    from messages

),

reading_counts as (

    select cast(sum(content_count) as bigint) as reading_count
    from levels

),

final as (

    select
        message_counts.landed_count,
        message_counts.quarantined_count,
        reading_counts.reading_count,
        strftime(as_of.as_of, '%Y-%m-%d %H:%M:%S') as as_of,
        message_counts.quarantined_count
        / nullif(message_counts.landed_count + message_counts.quarantined_count, 0) as quarantined_share
    from message_counts
    cross join reading_counts
    -- nothing but messages in quarantine is a status, too
    left join as_of
        on true

)

select * from final
