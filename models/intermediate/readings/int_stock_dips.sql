{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch', 'frequent'],
        pre_hook="{{ delete_touched(ref('int_touched_stores'), 'emptied_at >= touched.changed_from', ['store_location']) }}"
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

    -- a habit shows in the recent past
    readings as (

        select
            accepted_readings.*,
            touched_stores.changed_from
        from accepted_readings
        inner join touched_stores
            on
                accepted_readings.store_location = touched_stores.store_location
                and accepted_readings.event_timestamp >= {{ recent_past('touched_stores.changed_from') }}

    ),

{% else %}

    readings as not materialized (

        select
            *,
            timestamp '-infinity' as changed_from
        from accepted_readings

    ),

{% endif %}

-- the readings at which a shelf ran empty or was no longer
turns as (

    select
        store_location,
        product_id,
        reading_number,
        quantity,
        stock_level,
        event_timestamp,
        changed_from,
        greatest(quantity_before, 0) as level_before
    from readings
    where
        not is_out_of_range
        and (quantity <= 0) <> (quantity_before <= 0)

),

followed as (

    select
        *,
        lead(stock_level) over product_turns as level_after,
        lead(event_timestamp) over product_turns as refilled_at,
        count(*) filter (where stock_level = 0) over recent_turns as falls_before,
        min(reading_number) filter (where stock_level = 0) over recent_turns as first_fall_number
    from turns
    window
        product_turns as (
            partition by store_location, product_id
            order by event_timestamp
        ),
        recent_turns as (
            product_turns range between {{ recent_past_length() }} preceding and interval '1 microsecond' preceding
        )

),

final as (

    select
        store_location,
        product_id,
        reading_number,
        quantity,
        level_before,
        event_timestamp as emptied_at,
        refilled_at,
        abs(level_after - level_before)
        <= {{ var('spike_return_share') }} * level_before as is_as_before,
        -- two readings before say nothing of habits
        case
            when falls_before > 0
                then 3 * falls_before >= reading_number - first_fall_number
            else reading_number <= 3
        end as is_habit
    from followed
    where
        event_timestamp >= changed_from
        and stock_level = 0
        and refilled_at - event_timestamp <= interval '{{ var("closure_lasts_within") }}'

)

select * from final
