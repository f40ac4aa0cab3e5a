{{ config(tags=['across_stores', 'frequent']) }}

with

messages as (

    select * from {{ ref('stg_inventory_events__messages') }}

),

implausible_readings as (

    select * from {{ ref('stg_inventory_events__implausible_readings') }}

),

message_counts as (

    select
        count(*) filter (where not is_quarantined) as landed_count,
        count(*) filter (where is_quarantined) as quarantined_count
    from messages

),

implausible_counts as (

    select count(*) as implausible_count
    from implausible_readings

),

final as (

    select
        message_counts.landed_count,
        message_counts.quarantined_count,
        implausible_counts.implausible_count
    from message_counts
    cross join implausible_counts

)

select * from final
