{% set grain = "interval '" ~ var('metrics_grain') ~ "'" %}
{% set turnover_window = "interval '" ~ var('turnover_window') ~ "'" %}

with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

believable_levels as (

    select
        store_location,
        product_id,
        category,
        event_timestamp,
        cast(stock_level as hugeint) as stock_level,
        cast(price is not null as integer) as priced_count,
        cast(stock_level = 0 as integer) as out_of_stock_count,
        cast(epoch_us(event_timestamp) as hugeint) as reading_us,
        coalesce(price, 0) as price,
        stock_level * coalesce(price, 0) as stock_value
    from levels
    where not is_suspect

),

product_steps as (

    select
        *,
        lag(category) over product_readings as previous_category,
        lag(stock_level) over product_readings as previous_level,
        lag(price) over product_readings as previous_price,
        lag(priced_count) over product_readings as previous_priced_count,
        lag(out_of_stock_count) over product_readings as previous_out_of_stock_count,
        lag(stock_value) over product_readings as previous_value
    from believable_levels
    window
        product_readings as (
            partition by store_location, product_id
            order by event_timestamp
        )

),

-- a product's reading takes its former state out of the category it stood in and puts the new one into its own
changes as (

    select
        store_location,
        category,
        event_timestamp,
        reading_us,
        stock_level as level_change,
        price as price_change,
        priced_count as priced_change,
        stock_value as value_change,
        out_of_stock_count as out_of_stock_change,
        1 as product_change,
        coalesce(greatest(previous_level - stock_level, 0), 0) as units_out,
        coalesce(greatest(stock_level - previous_level, 0), 0) as units_in
    from product_steps

    union all

    select
        store_location,
        previous_category as category,
        event_timestamp,
        reading_us,
        -previous_level as level_change,
        -previous_price as price_change,
        -previous_priced_count as priced_change,
        -previous_value as value_change,
        -previous_out_of_stock_count as out_of_stock_change,
        -1 as product_change,
        0 as units_out,
        0 as units_in
    from product_steps
    where previous_category is not null

),

bucket_changes as (

    select
        store_location,
        category,
        -- a bucket ending at b holds the readings in (b - grain, b]
        time_bucket({{ grain }}, event_timestamp - interval '1 microsecond') + {{ grain }} as bucket_end,
        sum(level_change) as level_change,
        sum(level_change * reading_us) as moment_change,
        sum(price_change) as price_change,
        sum(priced_change) as priced_change,
        sum(value_change) as value_change,
        sum(out_of_stock_change) as out_of_stock_change,
        sum(product_change) as product_change,
        sum(units_out) as units_out,
        sum(units_in) as units_in,
        max(event_timestamp) filter (where product_change = 1) as last_reading_at
    from changes
    group by all

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

group_spans as (

    select
        store_location,
        category,
        min(event_timestamp) as first_reading_at,
        time_bucket({{ grain }}, min(event_timestamp) - interval '1 microsecond') + {{ grain }} as first_bucket_end
    from changes
    group by all

),

buckets as (

    select
        group_spans.store_location,
        group_spans.category,
        group_spans.first_reading_at,
        unnest(
            generate_series(
                group_spans.first_bucket_end,
                time_bucket({{ grain }}, as_of.as_of - interval '1 microsecond') + {{ grain }},
                {{ grain }}
            )
        ) as bucket_end
    from group_spans
    cross join as_of

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
        sum(bucket_changes.moment_change) over until_now as moment,
        sum(bucket_changes.price_change) over until_now as price_sum,
        sum(bucket_changes.priced_change) over until_now as priced_count,
        sum(bucket_changes.value_change) over until_now as total_stock_value,
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

-- stock held from 0 to t, in unit-microseconds, is t * level(t) - sum(time of change * change)
held as (

    select
        *,
        cast(epoch_us(bucket_end) as hugeint) * total_quantity - moment as stock_held
    from running

),

-- what the window adds is the figure at its end less that at its start; before the first bucket nothing was held
windowed as (

    select
        held.*,
        held.units_out_so_far - coalesce(opening.units_out_so_far, 0) as window_units_out,
        held.stock_held - coalesce(opening.stock_held, 0) as window_stock_held,
        epoch_us(held.bucket_end)
        - epoch_us(greatest(held.bucket_end - {{ turnover_window }}, held.first_reading_at)) as span_us
    from held
    left join held as opening
        on
            held.store_location = opening.store_location
            and held.category = opening.category
            and held.bucket_end - {{ turnover_window }} = opening.bucket_end

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
        last_reading_at,
        average_quantity,
        cast(total_quantity as bigint) as total_quantity,
        cast(total_stock_value as double) as total_stock_value,
        cast(units_out as bigint) as units_out,
        cast(units_in as bigint) as units_in,
        cast(window_units_out as bigint) as window_units_out,
        cast(product_count as bigint) as product_count,
        cast(out_of_stock_count as bigint) as out_of_stock_count,
        cast(price_sum as double) / nullif(priced_count, 0) as avg_price,
        cast(window_units_out as double) / nullif(average_quantity, 0) as turnover_rate
    from averaged

)

select * from final
