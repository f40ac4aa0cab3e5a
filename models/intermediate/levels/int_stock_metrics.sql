{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch', 'frequent'],
        pre_hook=[
            "{{ delete_touched(ref('int_touched_stores'), 'event_timestamp >= touched.changed_from', ['store_location']) }}",
            "{% if is_incremental() %}
            delete from {{ this }}
            where {{ is_unfilled('event_timestamp', 'last_reading_at', '(select as_of from ' ~ ref('int_as_of') ~ ')') }}
            {% endif %}"
        ]
    )
}}

{% set grain = "interval '" ~ var('metrics_grain') ~ "'" %}
{% set turnover_window = "interval '" ~ var('turnover_window') ~ "'" %}

with

-- read for each use: a copy of all readings would cost more
levels as not materialized (

    select * from {{ ref('int_stock_levels') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

{% if is_incremental() %}

    touched_stores as (

        select * from {{ ref('int_touched_stores') }}

    ),

    -- each series goes on from its last bucket, see the pre-hook
    last_buckets as materialized (

        select
            store_location,
            category,
            max(event_timestamp) as event_timestamp
        from {{ this }}
        group by store_location, category

    ),

    -- what the windows of the new buckets open with: a silence may have left no bucket for longer than a window
    before_windows as (

        select
            stored.store_location,
            stored.category,
            max(stored.event_timestamp) as event_timestamp
        from {{ this }} as stored
        inner join last_buckets
            on
                stored.store_location = last_buckets.store_location
                and stored.category = last_buckets.category
                and stored.event_timestamp < last_buckets.event_timestamp - {{ turnover_window }}
        group by stored.store_location, stored.category

    ),

    existing_buckets as materialized (

        select stored.*
        from {{ this }} as stored
        inner join last_buckets
            on
                stored.store_location = last_buckets.store_location
                and stored.category = last_buckets.category
                and stored.event_timestamp >= last_buckets.event_timestamp - {{ turnover_window }}
        union all
        select stored.*
        from {{ this }} as stored
        semi join before_windows
            on
                stored.store_location = before_windows.store_location
                and stored.category = before_windows.category
                and stored.event_timestamp = before_windows.event_timestamp

    ),

    existing_totals as materialized (

        select existing_buckets.*
        from existing_buckets
        semi join last_buckets
            on
                existing_buckets.store_location = last_buckets.store_location
                and existing_buckets.category = last_buckets.category
                and existing_buckets.event_timestamp = last_buckets.event_timestamp

    ),

    -- a store without buckets begins with the bucket of its first change
    stores as (

        select
            store_location,
            max(event_timestamp) as summed_until
        from last_buckets
        group by store_location
        union all
        select
            touched_stores.store_location,
            touched_stores.changed_from - {{ grain }} as summed_until
        from touched_stores
        anti join last_buckets
            on touched_stores.store_location = last_buckets.store_location

    ),

    trusted_levels as not materialized (

        select levels.*
        from levels
        inner join stores
            on
                levels.store_location = stores.store_location
                and levels.event_timestamp > stores.summed_until
        where not levels.is_suspect

    ),

{% else %}

    -- a full refresh goes on from nothing
    existing_buckets as (

        select
            null as store_location,
            null as category,
            null as event_timestamp,
            null as first_reading_at,
            null as last_reading_at,
            null as total_quantity,
            null as level_time_sum,
            null as price_sum,
            null as priced_count,
            null as value_sum,
            null as out_of_stock_count,
            null as product_count,
            null as units_out_so_far
        where false

    ),

    existing_totals as (

        select * from existing_buckets

    ),

    trusted_levels as not materialized (

        select * from levels
        where not is_suspect

    ),

{% endif %}

steps as not materialized (

    select
        store_location,
        category,
        left_category,
        event_timestamp,
        stock_level,
        cast(case when previous_quantity is not null then greatest(previous_quantity, 0) end as bigint)
            as previous_level,
        cast(price is not null as integer) as priced_count,
        cast(previous_price is not null as integer) as previous_priced_count,
        cast(stock_level = 0 as integer) as out_of_stock_count,
        cast(previous_level = 0 as integer) as previous_out_of_stock_count,
        cast(previous_quantity is not null and left_category is null as integer) as is_kept,
        coalesce(price, 0) as price,
        coalesce(previous_price, 0) as previous_price,
        stock_level * coalesce(price, 0) as stock_value,
        previous_level * coalesce(previous_price, 0) as previous_value,
        coalesce(greatest(previous_level - stock_level, 0), 0) as units_out,
        coalesce(greatest(stock_level - previous_level, 0), 0) as units_in
    from trusted_levels

),

-- a reading takes its product's former state out of the category it stood in and puts the new one into its own
changes as (

    select
        store_location,
        category,
        event_timestamp,
        stock_level - coalesce(is_kept * previous_level, 0) as level_change,
        price - is_kept * previous_price as price_change,
        priced_count - is_kept * previous_priced_count as priced_change,
        stock_value - coalesce(is_kept * previous_value, 0) as value_change,
        out_of_stock_count - coalesce(is_kept * previous_out_of_stock_count, 0) as out_of_stock_change,
        1 - is_kept as product_change,
        units_out,
        units_in
    from steps

    union all

    select
        store_location,
        left_category as category,
        event_timestamp,
        -previous_level as level_change,
        -previous_price as price_change,
        -previous_priced_count as priced_change,
        -previous_value as value_change,
        -previous_out_of_stock_count as out_of_stock_change,
        -1 as product_change,
        0 as units_out,
        0 as units_in
    from steps
    where left_category is not null

),

bucket_changes as (

    select
        store_location,
        category,
        {{ bucket_of('event_timestamp') }} as bucket_end,
        sum(level_change) as level_change,
        sum(cast(level_change as hugeint) * epoch_us(event_timestamp)) as level_time_change,
        sum(price_change) as price_change,
        sum(priced_change) as priced_change,
        sum(value_change) as value_change,
        sum(out_of_stock_change) as out_of_stock_change,
        sum(product_change) as product_change,
        sum(units_out) as units_out,
        sum(units_in) as units_in,
        min(event_timestamp) as first_reading_at,
        max(event_timestamp) as last_reading_at
    from changes
    group by store_location, category, bucket_end

    union all

    -- existing totals are one change from nothing
    select
        store_location,
        category,
        event_timestamp as bucket_end,
        total_quantity as level_change,
        level_time_sum as level_time_change,
        price_sum as price_change,
        priced_count as priced_change,
        value_sum as value_change,
        out_of_stock_count as out_of_stock_change,
        product_count as product_change,
        units_out_so_far as units_out,
        0 as units_in,
        first_reading_at,
        last_reading_at
    from existing_totals

),

-- each bucket in which a group changed, and what follows it until the next change
stretches as (

    select
        store_location,
        category,
        bucket_end,
        min(first_reading_at) over until_now as first_reading_at,
        max(last_reading_at) over until_now as last_reading_at,
        lead(bucket_end) over until_now - {{ grain }} as last_bucket_end
    from bucket_changes
    window
        until_now as (
            partition by store_location, category
            order by bucket_end
            rows between unbounded preceding and current row
        )

),

limits as (

    select
        stretches.store_location,
        stretches.category,
        stretches.bucket_end,
        stretches.first_reading_at,
        {{ filled_until('stretches.last_reading_at') }} as filled_until,
        {{ filled_from('as_of.as_of') }} as filled_from,
        coalesce(stretches.last_bucket_end, {{ bucket_of('as_of.as_of') }}) as last_bucket_end
    from stretches
    cross join as_of

),

-- dense, but for what is_unfilled leaves out of a long silence
buckets as (

    select
        store_location,
        category,
        first_reading_at,
        unnest(
            generate_series(bucket_end, greatest(bucket_end, least(last_bucket_end, filled_until)), {{ grain }})
            || generate_series(
                time_bucket({{ grain }}, greatest(bucket_end, filled_until, filled_from)) + {{ grain }},
                last_bucket_end,
                {{ grain }}
            )
        ) as bucket_end
    from limits

),

running as (

    select
        buckets.store_location,
        buckets.category,
        buckets.bucket_end,
        buckets.first_reading_at,
        coalesce(bucket_changes.units_out, 0) as units_out,
        coalesce(bucket_changes.units_in, 0) as units_in,
        sum(bucket_changes.level_change) over until_now as total_quantity,
        sum(bucket_changes.level_time_change) over until_now as level_time_sum,
        sum(bucket_changes.price_change) over until_now as price_sum,
        sum(bucket_changes.priced_change) over until_now as priced_count,
        sum(bucket_changes.value_change) over until_now as value_sum,
        sum(bucket_changes.out_of_stock_change) over until_now as out_of_stock_count,
        sum(bucket_changes.product_change) over until_now as product_count,
        sum(bucket_changes.units_out) over until_now as units_out_so_far,
        max(bucket_changes.last_reading_at) over until_now as last_reading_at
    from buckets
    left join bucket_changes
        on
            buckets.store_location = bucket_changes.store_location
            and buckets.category = bucket_changes.category
            and buckets.bucket_end = bucket_changes.bucket_end
    window
        until_now as (
            partition by buckets.store_location, buckets.category
            order by buckets.bucket_end
            rows between unbounded preceding and current row
        )

),

openings as (

    select
        store_location,
        category,
        bucket_end,
        total_quantity,
        level_time_sum,
        units_out_so_far
    from running

    union all

    select
        store_location,
        category,
        event_timestamp as bucket_end,
        total_quantity,
        level_time_sum,
        units_out_so_far
    from existing_buckets

),

-- Stock held from 0 to t, in unit-microseconds, is t * level(t) - sum(time of change * change). What the window adds is
-- the figure at its end less that at its start; before the first bucket nothing was held.
windowed as (

    select
        running.*,
        epoch_us(running.bucket_end) * running.total_quantity - running.level_time_sum
        - coalesce(
            epoch_us(running.bucket_end - {{ turnover_window }}) * openings.total_quantity - openings.level_time_sum, 0
        ) as window_stock_held,
        running.units_out_so_far - coalesce(openings.units_out_so_far, 0) as window_units_out,
        epoch_us(running.bucket_end)
        - epoch_us(greatest(running.bucket_end - {{ turnover_window }}, running.first_reading_at)) as span_us
    from running
    asof left join openings
        on
            running.store_location = openings.store_location
            and running.category = openings.category
            and running.bucket_end - {{ turnover_window }} >= openings.bucket_end

),

averaged as (

    select
        *,
        case
            when span_us = 0 then cast(total_quantity as double)
            else cast(window_stock_held as double) / span_us
        end as average_quantity
    from windowed

),

final as (

    select
        store_location,
        category,
        bucket_end as event_timestamp,
        first_reading_at,
        last_reading_at,
        average_quantity,
        cast(total_quantity as bigint) as total_quantity,
        cast(case when priced_count > 0 then value_sum end as double) as total_stock_value,
        cast(units_out as bigint) as units_out,
        cast(units_in as bigint) as units_in,
        cast(units_out_so_far as bigint) as units_out_so_far,
        cast(window_units_out as bigint) as window_units_out,
        cast(product_count as bigint) as product_count,
        cast(priced_count as bigint) as priced_count,
        cast(out_of_stock_count as bigint) as out_of_stock_count,
        cast(level_time_sum as hugeint) as level_time_sum,
        cast(price_sum as decimal(38, 9)) as price_sum,
        cast(value_sum as decimal(38, 9)) as value_sum,
        cast(price_sum as double) / nullif(priced_count, 0) as avg_price,
        cast(window_units_out as double) / nullif(average_quantity, 0) as turnover_rate
    from averaged

)

select final.*
from final
anti join existing_totals
    on
        final.store_location = existing_totals.store_location
        and final.category = existing_totals.category
        and final.event_timestamp = existing_totals.event_timestamp
-- an incremental build reads the last weeks: they lie together
order by final.event_timestamp
