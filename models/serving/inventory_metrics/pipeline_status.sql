with

messages as (

    select * from {{ ref('stg_inventory_events__messages') }}

),

accepted_readings as (

    select * from {{ ref('int_accepted_readings') }}

),

implausible_readings as (

    select * from {{ ref('stg_inventory_events__implausible_readings') }}

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

    select cast(coalesce(sum(version_count), 0) as bigint) as reading_count
    from accepted_readings

),

implausible_counts as (

    select count(*) as implausible_count
    from implausible_readings

),

final as (

    select
        message_counts.landed_count,
        message_counts.quarantined_count,
        reading_counts.reading_count,
        implausible_counts.implausible_count,
        strftime(as_of.as_of, '%Y-%m-%d %H:%M:%S') as as_of,
        message_counts.quarantined_count
        / nullif(message_counts.landed_count + message_counts.quarantined_count, 0) as quarantined_share
    from message_counts
    cross join reading_counts
    cross join implausible_counts
    -- nothing but messages in quarantine is a status, too
    left join as_of
        on true

)

select * from final
