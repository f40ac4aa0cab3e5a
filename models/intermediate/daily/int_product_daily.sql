{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch'],
        pre_hook="{{ delete_touched(ref('int_touched_products'), 'event_date >= ' ~ day_of('touched.changed_from')) }}"
    )
}}

{% call(part) for_each_product_part() %}
    with

    -- read where it is needed: a copy would hold all readings
    levels as not materialized (

        select * from {{ ref('int_stock_levels') }}

    ),

    jumps as (

        select * from {{ ref('int_quantity_jumps') }}
        where {{ part }}

    ),

    {% if is_incremental() %}

        touched_products as (

            select * from {{ ref('int_touched_products') }}

        ),

        -- whole days, from the first that changed on
        relevant_levels as (

            select levels.*
            from levels
            inner join touched_products
                on
                    levels.store_location = touched_products.store_location
                    and levels.product_id = touched_products.product_id
                    and levels.event_timestamp > {{ day_of('touched_products.changed_from') }}

        ),

    {% else %}

        relevant_levels as not materialized (

            select * from levels
            where {{ part }}

        ),

    {% endif %}

    -- what falls from a level that was never on the shelf is no demand
    plausible_readings as (

        select
            relevant_levels.store_location,
            relevant_levels.product_id,
            relevant_levels.category,
            relevant_levels.event_timestamp,
            relevant_levels.stock_level,
            relevant_levels.price,
            {{ day_of('relevant_levels.event_timestamp') }} as event_date,
            case
                when jumps.event_timestamp is not null then jumps.plausible_quantity
                else relevant_levels.previous_quantity
            end as previous_quantity,
            case
                when jumps.event_timestamp is not null then jumps.plausible_reading_at
                else relevant_levels.previous_reading_at
            end as previous_reading_at
        from relevant_levels
        left join jumps
            on
                relevant_levels.store_location = jumps.store_location
                and relevant_levels.product_id = jumps.product_id
                and relevant_levels.previous_reading_at = jumps.event_timestamp
        anti join jumps as themselves
            on
                relevant_levels.store_location = themselves.store_location
                and relevant_levels.product_id = themselves.product_id
                and relevant_levels.event_timestamp = themselves.event_timestamp
        where not relevant_levels.is_suspect

    ),

    -- flows, the time since the reading before and the stock held in it are credited to the later reading
    flows as (

        select
            *,
            case when previous_quantity is not null then greatest(previous_quantity, 0) end as previous_level,
            coalesce(greatest(previous_level - stock_level, 0), 0) as units_out,
            coalesce(greatest(stock_level - previous_level, 0), 0) as units_in,
            epoch_us(event_timestamp) - epoch_us(previous_reading_at) as since_previous_us
        from plausible_readings

    ),

    days as (

        select
            store_location,
            product_id,
            event_date,
            cast(sum(units_out) as bigint) as units_out,
            cast(sum(units_in) as bigint) as units_in,
            cast(arg_min(units_out, event_timestamp) as bigint) as opening_units_out,
            cast(arg_min(units_in, event_timestamp) as bigint) as opening_units_in,
            cast(coalesce(sum(since_previous_us) filter (where previous_level > 0), 0) as bigint) as in_stock_us,
            cast(sum(since_previous_us) as bigint) as observed_us,
            cast(sum(since_previous_us) filter (where units_in > 0) as bigint) as restocked_us,
            arg_max(stock_level, event_timestamp) as closing_quantity,
            arg_max(category, event_timestamp) as category,
            count(*) as reading_count,
            sum(units_out * price) as out_value,
            coalesce(sum(cast(previous_level as hugeint) * since_previous_us), 0) as unit_us,
            max(since_previous_us) as longest_gap_us,
            min(event_timestamp) as first_reading_at,
            max(event_timestamp) as last_reading_at,
            max(event_timestamp) filter (where stock_level = 0 and coalesce(previous_level, 1) > 0) as emptied_at
        from flows
        group by store_location, product_id, event_date

    )

    select * from days
    -- an incremental build reads the last weeks: they lie together
    order by event_date
{% endcall %}
