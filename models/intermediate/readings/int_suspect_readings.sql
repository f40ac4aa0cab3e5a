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

stock_dips as (

    select * from {{ ref('int_stock_dips') }}

),

store_closures as (

    select * from {{ ref('int_store_closures') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

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

    dips as (

        select stock_dips.*
        from stock_dips
        inner join touched_stores
            on
                stock_dips.store_location = touched_stores.store_location
                and stock_dips.refilled_at > touched_stores.changed_from

    ),

{% else %}

    readings as not materialized (

        select
            *,
            timestamp '-infinity' as changed_from
        from accepted_readings

    ),

    dips as (

        select * from stock_dips

    ),

{% endif %}

in_range as not materialized (

    select
        *,
        greatest(quantity_before, 0) as level_before
    from readings
    where not is_out_of_range

),

{{ beyond_own_past('in_range', 'stock_level', 'level_before') }}

closed_dips as materialized (

    select
        dips.store_location,
        dips.product_id,
        dips.emptied_at as suspect_from,
        dips.refilled_at as suspect_until,
        min(store_closures.closed_from) as closed_from
    from dips
    inner join store_closures
        on
            dips.store_location = store_closures.store_location
            and dips.emptied_at < store_closures.closed_until
            and {{ just_fallen_until('dips') }} > store_closures.closed_from
    where not dips.is_habit
    group by dips.store_location, dips.product_id, dips.emptied_at, dips.refilled_at

),

-- readings of single products that look wrong by what came before and after them; the product's recent past decides
candidates as materialized (

    -- a reading below zero has a rule of its own, and a few units are one customer
    select
        'dip' as reason,
        dips.store_location,
        dips.product_id,
        dips.reading_number,
        dips.emptied_at as suspect_from,
        dips.refilled_at as suspect_until,
        dips.level_before as units_fallen,
        null as times_neighbours
    from dips
    anti join closed_dips
        on
            dips.store_location = closed_dips.store_location
            and dips.product_id = closed_dips.product_id
            and dips.emptied_at = closed_dips.suspect_from
    where
        dips.quantity = 0
        and dips.is_as_before
        and dips.level_before >= 4 * {{ rule_threshold('returned_dip') }}
        and dips.refilled_at - dips.emptied_at <= interval '{{ var("spike_returns_within") }}'

    union all

    select
        'spike' as reason,
        store_location,
        product_id,
        reading_number,
        event_timestamp as suspect_from,
        reading_after_at as suspect_until,
        stock_level - level_after as units_fallen,
        stock_level / greatest(level_before, level_after) as times_neighbours
    from in_range
    where
        level_before > 0
        and level_after > 0
        and stock_level >= {{ rule_threshold('returned_spike') }} * greatest(level_before, level_after)
        and abs(level_after - level_before) <= {{ var('spike_return_share') }} * level_before
        and reading_after_at - event_timestamp <= interval '{{ var("spike_returns_within") }}'

),

recent_falls as (

    select
        candidates.store_location,
        candidates.product_id,
        candidates.reading_number,
        count(*) as reading_count,
        max(in_range.level_before - in_range.stock_level) as largest_fall,
        -- four of five readings fell by no more
        quantile_disc(greatest(in_range.level_before - in_range.stock_level, 0), 0.8) as usual_fall
    from candidates
    cross join range(1, 25) as steps (step)
    inner join in_range
        on
            candidates.store_location = in_range.store_location
            and candidates.product_id = in_range.product_id
            and candidates.reading_number - steps.step = in_range.reading_number
            and {{ recent_past('candidates.suspect_from') }} <= in_range.event_timestamp
    group by candidates.store_location, candidates.product_id, candidates.reading_number

),

judged as (

    select
        candidates.reason,
        candidates.store_location,
        candidates.product_id,
        candidates.suspect_from,
        candidates.suspect_until,
        candidates.units_fallen,
        coalesce(recent_falls.reading_count, 0) as reading_count,
        coalesce(recent_falls.largest_fall, 0) as largest_fall,
        coalesce(candidates.times_neighbours, candidates.units_fallen / greatest(recent_falls.usual_fall, 4))
            as observed_value
    from candidates
    left join recent_falls
        on
            candidates.store_location = recent_falls.store_location
            and candidates.product_id = recent_falls.product_id
            and candidates.reading_number = recent_falls.reading_number

),

suspect_spans as (

    select
        reason,
        store_location,
        product_id,
        suspect_from,
        suspect_until,
        observed_value
    from judged
    where
        case reason
            when 'dip' then reading_count >= 10 and observed_value >= {{ rule_threshold('returned_dip') }}
            -- where half as much went out at once before, a delivery may have sold out at once
            else 2 * largest_fall < units_fallen
        end
    union all by name
    select
        'closed store' as reason,
        *
    from closed_dips

),

suspects as (

    select
        suspect_spans.reason,
        suspect_spans.suspect_from,
        suspect_spans.suspect_until,
        suspect_spans.closed_from,
        suspect_spans.observed_value,
        in_range.*
    from suspect_spans
    inner join in_range
        on
            suspect_spans.store_location = in_range.store_location
            and suspect_spans.product_id = in_range.product_id
            and suspect_spans.suspect_from <= in_range.event_timestamp
            and suspect_spans.suspect_until > in_range.event_timestamp
    union all by name
    select
        'out of range' as reason,
        beyond_own_past.usual_value,
        beyond_own_past.suspect_from,
        beyond_own_past.suspect_until,
        in_range.stock_level / beyond_own_past.highest_accepted as observed_value,
        in_range.*
    from beyond_own_past
    inner join in_range
        on
            beyond_own_past.store_location = in_range.store_location
            and beyond_own_past.product_id = in_range.product_id
            and beyond_own_past.suspect_from <= in_range.event_timestamp
            and beyond_own_past.suspect_until > in_range.event_timestamp
    union all by name
    select
        'out of range' as reason,
        abs(quantity) / {{ var('accepted_quantity') }} as observed_value,
        *
    from readings
    where is_out_of_range

),

final as (

    select
        store_location,
        product_id,
        category,
        reason,
        quantity,
        quantity_before,
        usual_value as usual_level,
        observed_value,
        event_timestamp,
        suspect_from,
        suspect_until,
        closed_from
    from suspects
    where event_timestamp >= changed_from
    -- one that is out of range by its own past may have come straight back as well, which says more
    qualify
        row_number() over (
            partition by store_location, product_id, event_timestamp
            order by reason = 'out of range', suspect_from
        ) = 1

)

select * from final
