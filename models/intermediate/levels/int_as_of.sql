{{ config(tags=['same_in_every_shard', 'frequent']) }}

{% set given = var('as_of') or var('newest_reading_at') %}
{% set newest = "timestamp '" ~ given ~ "'" if given else 'max(event_timestamp)' %}

with

last_readings as (

    select * from {{ ref('int_accepted_readings') }}
    where reading_after_at is null

),

-- without a reading there is no clock, and no table has a row
as_of as (

    select {{ newest }} as as_of
    from last_readings
    having count(*) > 0

)

select * from as_of
