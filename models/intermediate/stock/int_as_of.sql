with

readings as (

    select * from {{ ref('int_distinct_readings') }}

),

as_of as (

    select max(event_timestamp) as as_of
    from readings

)

select * from as_of
