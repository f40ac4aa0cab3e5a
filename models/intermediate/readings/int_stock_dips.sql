{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch'],
        pre_hook="{{ delete_touched(touched_stores(), 'emptied_at >= touched.changed_from', ['store_location']) }}"
    )
}}

with

accepted_readings as not materialized (

    select * from {{ ref('int_accepted_readings') }}

),

{% if is_incremental() %}

    touched_stores as materialized (

        {{ touched_stores() }}

    ),

{% endif %}

-- the readings at which a shelf ran empty or was no longer
turns as (

    select
        accepted_readings.store_location,
        accepted_readings.product_id,
        accepted_readings.reading_number,
        accepted_readings.quantity,
        accepted_readings.stock_level,
        accepted_readings.event_timestamp,
        greatest(accepted_readings.quantity_before, 0) as level_before
    from accepted_readings
    {% if is_incremental() %}
        inner join touched_stores
            on
                accepted_readings.store_location = touched_stores.store_location
                and accepted_readings.event_timestamp >= {{ recent_past('touched_stores.changed_from') }}
                and accepted_readings.event_timestamp >= {{ recent_past(unchanged_until()) }}
    {% endif %}
    where
        not accepted_readings.is_out_of_range
        and (accepted_readings.quantity <= 0) <> (accepted_readings.quantity_before <= 0)

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
        followed.store_location,
        followed.product_id,
        followed.reading_number,
        followed.quantity,
        followed.level_before,
        followed.event_timestamp as emptied_at,
        followed.refilled_at,
        abs(followed.level_after - followed.level_before)
        <= {{ var('spike_return_share') }} * followed.level_before as is_as_before,
        -- two readings before say nothing of habits
        case
            when followed.falls_before > 0
                then 3 * followed.falls_before >= followed.reading_number - followed.first_fall_number
            else followed.reading_number <= 3
        end as is_habit
    from followed
    {% if is_incremental() %}
        inner join touched_stores
            on
                followed.store_location = touched_stores.store_location
                and followed.event_timestamp >= touched_stores.changed_from
    {% endif %}
    where
        followed.stock_level = 0
        and followed.refilled_at - followed.event_timestamp <= interval '{{ var("closure_lasts_within") }}'

)

select * from final
