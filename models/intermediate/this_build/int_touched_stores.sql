with

new_readings as (

    select * from {{ ref('int_new_readings') }}

),

final as (

    select
        store_location,
        {{ judged_again_before('min(event_timestamp)') }} as changed_from
    from new_readings
    group by store_location

)

select * from final
