{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['store_location', 'product_id', 'event_timestamp'],
        on_schema_change='fail',
        tags=['by_batch']
    )
}}

with

readings as (

    select * from {{ ref('stg_inventory_events__readings') }}
    {% if var('as_of') %}
        where event_timestamp <= timestamp '{{ var("as_of") }}'
    {% endif %}

),

spike_rule as (

    select limit_value as spike_ratio
    from {{ ref('anomaly_rules') }}
    where rule_id = 'returned_spike'

),

{% if is_incremental() %}

    new_readings as (

        select * from readings
        where {{ is_new_reading() }}

    ),

    touched_products as (

        select
            store_location,
            product_id,
            min(event_timestamp) as first_touched_at
        from new_readings
        group by store_location, product_id

    ),

    -- the reading before the first touched one gets another successor; all later ones may change
    standing as (

        select stored.*
        from {{ this }} as stored
        inner join touched_products
            on
                stored.store_location = touched_products.store_location
                and stored.product_id = touched_products.product_id
        where
            (stored.next_reading_at >= {{ unchanged_until() }} or stored.next_reading_at is null)
            and (stored.next_reading_at >= touched_products.first_touched_at or stored.next_reading_at is null)

    ),

    -- what was read for the same moment before takes part in the decision again: raw still has it
    contested_moments as (

        select distinct
            standing.store_location,
            standing.product_id,
            standing.event_timestamp
        from standing
        inner join new_readings
            on
                standing.store_location = new_readings.store_location
                and standing.product_id = new_readings.product_id
                and standing.event_timestamp = new_readings.event_timestamp

    ),

    candidates as (

        select readings.*
        from readings
        inner join contested_moments
            on
                readings.store_location = contested_moments.store_location
                and readings.product_id = contested_moments.product_id
                and readings.event_timestamp = contested_moments.event_timestamp
        where readings.event_timestamp >= {{ unchanged_until() }}
        union all
        select * from new_readings

    ),

{% else %}

    -- Deciding between contents is costly and few moments have more than one: the others go past it. Moments that merely
    -- share a hash are decided one by one, so nothing rests on the hash.
    contested_moments as (

        select hash(store_location, product_id, event_timestamp) as moment_hash
        from readings
        group by moment_hash
        having count(*) > 1

    ),

    candidates as (

        select readings.*
        from readings
        inner join contested_moments
            on
                hash(readings.store_location, readings.product_id, readings.event_timestamp)
                = contested_moments.moment_hash

    ),

{% endif %}

-- the same content read twice is one reading, first seen when it first arrived
distinct_candidates as (

    select
        store_location,
        product_id,
        event_timestamp,
        category,
        quantity,
        price,
        min(arrival) as arrival
    from candidates
    group by store_location, product_id, event_timestamp, category, quantity, price

),

-- of several contents for one moment the later arrival is believed
decided as (

    select
        store_location,
        product_id,
        event_timestamp,
        arg_max(category, arrival) as category,
        arg_max(quantity, arrival) as quantity,
        arg_max_null(price, arrival) as reported_price,
        count(*) as content_count
    from distinct_candidates
    group by store_location, product_id, event_timestamp

),

believed_readings as (

    select
        store_location,
        product_id,
        event_timestamp,
        category,
        quantity,
        reported_price,
        content_count
        {% if is_incremental() %}
            , null as standing_level_before
            , null as standing_previous_level
            , null as standing_previous_category
            , null as standing_previous_price
        {% endif %}
    from decided
    union all
    {% if is_incremental() %}
        select
            standing.store_location,
            standing.product_id,
            standing.event_timestamp,
            standing.category,
            standing.quantity,
            standing.reported_price,
            standing.content_count,
            standing.level_before as standing_level_before,
            standing.previous_level as standing_previous_level,
            standing.previous_category as standing_previous_category,
            standing.previous_price as standing_previous_price
        from standing
        anti join decided
            on
                standing.store_location = decided.store_location
                and standing.product_id = decided.product_id
                and standing.event_timestamp = decided.event_timestamp
    {% else %}
        select
            readings.store_location,
            readings.product_id,
            readings.event_timestamp,
            readings.category,
            readings.quantity,
            readings.price as reported_price,
            1 as content_count
        from readings
        anti join contested_moments
            on
                hash(readings.store_location, readings.product_id, readings.event_timestamp)
                = contested_moments.moment_hash
    {% endif %}

),

neighbours as (

    select
        *,
        greatest(quantity, 0) as stock_level,
        {{ or_standing('lag(greatest(quantity, 0)) over product_readings', 'level_before') }} as level_before,
        lead(greatest(quantity, 0)) over product_readings as level_after,
        lead(event_timestamp) over product_readings as next_reading_at
    from believed_readings
    window
        product_readings as (
            partition by store_location, product_id
            order by event_timestamp
        )

),

judged as (

    select
        neighbours.*,
        coalesce(
            neighbours.level_before > 0
            and neighbours.level_after > 0
            and neighbours.stock_level
            >= spike_rule.spike_ratio * greatest(neighbours.level_before, neighbours.level_after)
            and abs(neighbours.level_after - neighbours.level_before)
            <= {{ var('spike_return_share') }} * neighbours.level_before
            and neighbours.next_reading_at - neighbours.event_timestamp
            <= interval '{{ var("spike_returns_within") }}',
            false
        ) as is_suspect
    from neighbours
    cross join spike_rule

),

-- a suspect reading is not believed in its price either
believed_values as (

    select
        *,
        case when not is_suspect then stock_level end as believed_level,
        case when not is_suspect then category end as believed_category,
        case when not is_suspect then reported_price end as believed_price
    from judged

),

final as (

    select
        store_location,
        product_id,
        category,
        quantity,
        stock_level,
        reported_price,
        {{ or_standing('last_value(believed_price ignore nulls) over until_now', 'previous_price') }} as price,
        is_suspect,
        content_count,
        level_before,
        {{ or_standing('last_value(believed_level ignore nulls) over before_now', 'previous_level') }}
            as previous_level,
        {{ or_standing('last_value(believed_category ignore nulls) over before_now', 'previous_category') }}
            as previous_category,
        {{ or_standing('last_value(believed_price ignore nulls) over before_now', 'previous_price') }}
            as previous_price,
        event_timestamp,
        next_reading_at
    from believed_values
    window
        product_readings as (
            partition by store_location, product_id
            order by event_timestamp
        ),
        until_now as (product_readings rows between unbounded preceding and current row),
        before_now as (product_readings rows between unbounded preceding and 1 preceding)

)

select * from final
{% if is_incremental() %}
    -- what comes out as it stands stays where it is
    except
    select * from standing
{% else %}
    -- an incremental build reads the last weeks: they lie together
    order by event_timestamp
{% endif %}
