{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch'],
        pre_hook="{{ delete_touched(ref('int_touched_products'), 'event_timestamp >= touched.changed_from') }}"
    )
}}

{% call(part) for_each_product_part() %}
    with

    -- read where it is needed: a copy would hold all readings
    levels as not materialized (

        select * from {{ ref('int_stock_levels') }}

    ),

    {% if is_incremental() %}

        touched_products as (

            select * from {{ ref('int_touched_products') }}

        ),

        -- A reading is compared with the twenty before it. Nothing is before a reading that follows none.
        recent_levels as materialized (

            select
                levels.*,
                touched_products.changed_from
            from levels
            inner join touched_products
                on
                    levels.store_location = touched_products.store_location
                    and levels.product_id = touched_products.product_id
                    and levels.event_timestamp >= touched_products.changed_from - interval '45 days'

        ),

        sparse_products as (

            select
                store_location,
                product_id,
                any_value(changed_from) as changed_from
            from recent_levels
            group by store_location, product_id
            having
                count(*) filter (where event_timestamp < changed_from) < 20
                and coalesce(bool_and(previous_reading_at is not null) filter (where not is_suspect), true)

        ),

        relevant_levels as materialized (

            select recent_levels.*
            from recent_levels
            anti join sparse_products
                on
                    recent_levels.store_location = sparse_products.store_location
                    and recent_levels.product_id = sparse_products.product_id
            union all
            select
                levels.*,
                sparse_products.changed_from
            from levels
            inner join sparse_products
                on
                    levels.store_location = sparse_products.store_location
                    and levels.product_id = sparse_products.product_id

        ),

    {% else %}

        relevant_levels as not materialized (

            select
                *,
                timestamp '-infinity' as changed_from
            from levels
            where {{ part }}

        ),

    {% endif %}

    -- windows sort numbers faster than names
    numbers as materialized (

        select
            store_location,
            product_id,
            category,
            any_value(changed_from) as changed_from,
            cast(row_number() over () as integer) as number,
            cast(dense_rank() over (order by store_location, product_id) as integer) as product
        from relevant_levels
        group by store_location, product_id, category

    ),

    -- A suspect reading and a level below zero are no past to judge others by, and nothing moves to or from them.
    judged as (

        select
            numbers.number,
            numbers.product,
            relevant_levels.event_timestamp,
            relevant_levels.previous_quantity,
            relevant_levels.previous_reading_at,
            relevant_levels.quantity,
            relevant_levels.is_suspect,
            relevant_levels.price,
            case when not relevant_levels.is_suspect then relevant_levels.reported_price end as reported_price,
            case
                when
                    not relevant_levels.is_suspect
                    and relevant_levels.quantity >= 0
                    and relevant_levels.previous_quantity >= 0
                    then relevant_levels.quantity - relevant_levels.previous_quantity
                else 0
            end as units_moved
        from relevant_levels
        inner join numbers
            on
                relevant_levels.store_location = numbers.store_location -- noqa: ST09
                and relevant_levels.product_id = numbers.product_id -- noqa: ST09
                and relevant_levels.category = numbers.category -- noqa: ST09

    ),

    plausible as (

        select
            *,
            case when quantity >= 0 and not is_suspect then quantity end as plausible_quantity,
            -- what was delivered and sold out at once before is no jump
            case when quantity between 0 and {{ var('accepted_quantity') }} then quantity end as seen_quantity,
            case when reported_price > 0 and reported_price = price then reported_price end as plausible_price,
            -- three counts of up to twenty in one number: a window over each would cost three times as much
            case when plausible_quantity is not null then 1 else 0 end
            + case when units_moved > 0 then 100 else 0 end
            + case when plausible_price is not null then 10000 else 0 end as counted
        from judged

    ),

    preceded as (

        select
            *,
            cast(coalesce(sum(counted) over last_twenty, 0) as integer) as counts_before,
            max(seen_quantity) over last_twenty as highest_quantity_before,
            greatest(-min(units_moved) over last_twenty, 0) as largest_fall_before,
            greatest(max(units_moved) over last_twenty, 0) as largest_rise_before,
            min(plausible_price) over last_twenty as lowest_price_before,
            max(plausible_price) over last_twenty as highest_price_before
        from plausible
        window
            product_readings as (
                partition by product
                order by event_timestamp
            ),
            last_twenty as (product_readings rows between 20 preceding and 1 preceding)

    ),

    past as (

        select
            *,
            greatest(-units_moved, 0) as units_fallen,
            greatest(units_moved, 0) as units_risen,
            counts_before % 100 as quantities_before,
            counts_before // 100 % 100 as rises_before,
            counts_before // 10000 as prices_before,
            -- five readings say what is usual; below four units any delivery is many times more
            case
                when not is_suspect and quantities_before >= 5 then quantity / greatest(highest_quantity_before, 4)
            end as times_highest_before
        from preceded

    ),

    remarkable as (

        select * from past
        where {{ kept_for_rules('reading') }}

    ),

    final as (

        select
            numbers.store_location,
            numbers.product_id,
            numbers.category,
            remarkable.quantity,
            remarkable.reported_price,
            remarkable.price,
            remarkable.is_suspect,
            remarkable.event_timestamp,
            remarkable.previous_quantity,
            remarkable.previous_reading_at,
            remarkable.units_fallen,
            remarkable.units_risen,
            remarkable.quantities_before,
            remarkable.lowest_price_before,
            remarkable.highest_price_before,
            remarkable.prices_before,
            remarkable.times_highest_before,
            remarkable.largest_fall_before,
            remarkable.largest_rise_before,
            remarkable.rises_before
        from remarkable
        inner join numbers
            on remarkable.number = numbers.number
        where remarkable.event_timestamp >= numbers.changed_from

    )

    select * from final
{% endcall %}
