{{ config(materialized='view') }}

with

message_counts as (

    select * from {{ ref('int_message_counts') }}

),

accepted_readings as (

    select * from {{ ref('int_accepted_readings') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

reading_counts as (

    select cast(coalesce(sum(version_count), 0) as bigint) as reading_count
    from accepted_readings

),

final as (

    select
        message_counts.landed_count,
        message_counts.quarantined_count,
        reading_counts.reading_count,
        message_counts.implausible_count,
        as_of.as_of,
        message_counts.quarantined_count
        / nullif(message_counts.landed_count + message_counts.quarantined_count, 0) as quarantined_share
    from message_counts
    cross join reading_counts
    -- a data folder with nothing but quarantined messages has a status, too
    left join as_of
        on true

)

select * from final
