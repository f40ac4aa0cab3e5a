{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch', 'frequent'],
        pre_hook="{{ delete_touched(ref('int_touched_stores'), 'event_timestamp >= touched.changed_from', ['store_location']) }}"
    )
}}

with

accepted_readings as not materialized (

    select * from {{ ref('int_accepted_readings') }}

),

{% if is_incremental() %}

    touched_stores as (

        select * from {{ ref('int_touched_stores') }}

    ),

    -- A reading is judged by its product's recent past. A dip or a jump may have begun before what is judged again.
    readings as materialized (

        select
            accepted_readings.*,
            touched_stores.changed_from
        from accepted_readings
        inner join touched_stores
            on
                accepted_readings.store_location = touched_stores.store_location
                and accepted_readings.event_timestamp
                >= {{ recent_past(judged_again_before('touched_stores.changed_from')) }}

    ),

{% else %}

    readings as not materialized (

        select
            *,
            timestamp '-infinity' as changed_from
        from accepted_readings

    ),

{% endif %}

priced_readings as not materialized (

    select * from readings
    where
        not is_out_of_range
        and abs(reported_price) <= {{ var('accepted_price') }}

),

{{ beyond_own_past('priced_readings', 'reported_price', 'price_before') }}

final as (

    select
        priced_readings.store_location,
        priced_readings.product_id,
        priced_readings.category,
        priced_readings.reported_price,
        beyond_own_past.usual_value as usual_price,
        priced_readings.event_timestamp,
        priced_readings.reported_price / beyond_own_past.highest_accepted as observed_value
    from beyond_own_past
    inner join priced_readings
        on
            beyond_own_past.store_location = priced_readings.store_location
            and beyond_own_past.product_id = priced_readings.product_id
            and beyond_own_past.suspect_from <= priced_readings.event_timestamp
            and beyond_own_past.suspect_until > priced_readings.event_timestamp
    where priced_readings.event_timestamp >= priced_readings.changed_from
    -- spans may overlap where a price jumps from one beyond its past to another
    qualify
        row_number() over (
            partition by priced_readings.store_location, priced_readings.product_id, priced_readings.event_timestamp
            order by beyond_own_past.suspect_from
        ) = 1

)

select * from final
