with

messages as (

    select * from {{ ref('stg_inventory_events__messages') }}

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

final as (

    select
        strftime(as_of.as_of, '%Y-%m-%d %H:%M:%S') as as_of,
        message_counts.landed_count,
        message_counts.quarantined_count,
        message_counts.quarantined_count
        / nullif(message_counts.landed_count + message_counts.quarantined_count, 0) as quarantined_share
    from message_counts
    cross join as_of

)

select * from final
