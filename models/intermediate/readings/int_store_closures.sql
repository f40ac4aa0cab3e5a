{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch', 'frequent'],
        pre_hook="{{ delete_touched(ref('int_touched_stores'), 'closed_until > touched.changed_from', ['store_location']) }}"
    )
}}

{#- A product that was not read for a week says nothing about whether its store is open. -#}
{% set known_for = "interval '7 days'" %}

with

accepted_readings as not materialized (

    select * from {{ ref('int_accepted_readings') }}

),

stock_dips as (

    select * from {{ ref('int_stock_dips') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

{% if is_incremental() %}

    stores as (

        select * from {{ ref('int_touched_stores') }}

    ),

    in_stock as materialized (

        select
            accepted_readings.store_location,
            accepted_readings.event_timestamp,
            accepted_readings.quantity_before,
            accepted_readings.level_after,
            accepted_readings.reading_after_at,
            -- empty where that reading is not read here
            case
                when accepted_readings.reading_before_at >= {{ recent_past('stores.changed_from') }}
                    then accepted_readings.reading_before_at
            end as reading_before_at
        from accepted_readings
        inner join stores
            on
                accepted_readings.store_location = stores.store_location
                and accepted_readings.event_timestamp >= {{ recent_past('stores.changed_from') }}
        where
            not accepted_readings.is_out_of_range
            and accepted_readings.stock_level > 0

    ),

    fallen as (

        select stock_dips.*
        from stock_dips
        inner join stores
            on
                stock_dips.store_location = stores.store_location
                and stock_dips.emptied_at >= {{ recent_past('stores.changed_from') }}
        where not stock_dips.is_habit

    ),

{% else %}

    stores as (

        select distinct
            store_location,
            timestamp '-infinity' as changed_from
        from stock_dips

    ),

    in_stock as not materialized (

        select * from accepted_readings
        where
            not is_out_of_range
            and stock_level > 0

    ),

    fallen as (

        select * from stock_dips
        where not is_habit

    ),

{% endif %}

-- how many products have stock, and how many have just fallen to 0 and come back later
changes as (

    select
        store_location,
        event_timestamp as changed_at,
        1 as in_stock_change,
        0 as fallen_change,
        0 as as_before_change
    from in_stock
    where coalesce(quantity_before <= 0 or reading_before_at < event_timestamp - {{ known_for }}, true)

    union all

    select
        store_location,
        least(reading_after_at, event_timestamp + {{ known_for }}) as changed_at,
        -1 as in_stock_change,
        0 as fallen_change,
        0 as as_before_change
    from in_stock
    where coalesce(level_after = 0 or reading_after_at > event_timestamp + {{ known_for }}, true)

    union all

    select
        store_location,
        emptied_at as changed_at,
        0 as in_stock_change,
        1 as fallen_change,
        cast(is_as_before as integer) as as_before_change
    from fallen

    union all

    select
        store_location,
        {{ just_fallen_until('fallen') }} as changed_at,
        0 as in_stock_change,
        -1 as fallen_change,
        -cast(is_as_before as integer) as as_before_change
    from fallen

),

counts as (

    select
        store_location,
        changed_at,
        lead(changed_at) over store_changes as next_changed_at,
        sum(sum(in_stock_change)) over store_changes as in_stock_count,
        sum(sum(fallen_change)) over store_changes as fallen_count,
        sum(sum(as_before_change)) over store_changes as as_before_count
    from changes
    group by store_location, changed_at
    window
        store_changes as (
            partition by store_location
            order by changed_at
        )

),

judged as (

    select
        *,
        fallen_count / nullif(fallen_count + in_stock_count, 0) as fallen_share,
        -- one product is no store; some sell well, or are delivered, before they are read again
        coalesce(
            fallen_count >= 2
            and 2 * as_before_count >= fallen_count
            and fallen_share > {{ rule_threshold('closed_store') }},
            false
        ) as is_closed
    from counts

),

spans as (

    select
        *,
        count(*) filter (where not is_closed) over (
            partition by store_location
            order by changed_at
        ) as span_number
    from judged

),

closures as (

    select
        store_location,
        min(changed_at) as closed_from,
        max(next_changed_at) as closed_until,
        max(fallen_share) as fallen_share
    from spans
    where is_closed
    group by store_location, span_number

),

final as (

    select closures.*
    from closures
    inner join stores
        on
            closures.store_location = stores.store_location
            and closures.closed_until > stores.changed_from

)

select * from final
