{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['store_location', 'product_id', 'event_timestamp'],
        on_schema_change='fail',
        tags=['by_batch', 'frequent']
    )
}}

-- depends_on: {{ ref('int_new_readings') }}

{% call(part) for_each_product_part() %}
    with

    -- read for each use: a copy of all readings would cost more
    readings as not materialized (

        select * from {{ ref('stg_inventory_events__readings') }}
        where
            {{ part }}
            and event_timestamp <= timestamp '{{ var("as_of") or "infinity" }}'

    ),

    {% if is_incremental() %}

        new_readings as (

            select * from {{ ref('int_new_readings') }}

        ),

        touched_products as materialized (

            select
                store_location,
                product_id,
                min(event_timestamp) as first_touched_at
            from new_readings
            group by store_location, product_id

        ),

        -- the reading before the first touched one gets another successor, later ones another past
        existing_rows as materialized (

            select stored.*
            from {{ this }} as stored
            inner join touched_products
                on
                    stored.store_location = touched_products.store_location
                    and stored.product_id = touched_products.product_id
                    and stored.reading_after_at >= touched_products.first_touched_at
            union all
            select stored.*
            from {{ this }} as stored
            semi join touched_products
                on
                    stored.store_location = touched_products.store_location
                    and stored.product_id = touched_products.product_id
            where stored.reading_after_at is null

        ),

        -- what was read for the same timestamp before takes part in the decision again: raw still has it
        conflicting_timestamps as (

            select
                new_readings.store_location,
                new_readings.product_id,
                new_readings.event_month,
                new_readings.event_timestamp
            from new_readings
            semi join existing_rows
                on
                    new_readings.store_location = existing_rows.store_location
                    and new_readings.product_id = existing_rows.product_id
                    and new_readings.event_timestamp = existing_rows.event_timestamp

        ),

        candidates as materialized (

            select readings.*
            from readings
            semi join conflicting_timestamps
                on
                    readings.store_location = conflicting_timestamps.store_location
                    and readings.product_id = conflicting_timestamps.product_id
                    and readings.event_month = conflicting_timestamps.event_month
                    and readings.event_timestamp = conflicting_timestamps.event_timestamp
            union all by name
            select * from new_readings

        ),

        names as (

            select
                store_location,
                product_id,
                category as category_name
            from candidates
            union all
            select
                store_location,
                product_id,
                category as category_name
            from existing_rows
            union all
            select
                store_location,
                product_id,
                left_category as category_name
            from existing_rows
            where left_category is not null

        ),

        numbers as materialized (

            select
                store_location,
                product_id,
                category_name,
                cast(dense_rank() over (order by store_location, product_id) as integer) as product,
                cast(dense_rank() over (order by category_name) as integer) as category
            from names
            group by store_location, product_id, category_name

        ),

        undisputed as (

            select
                numbers.product,
                numbers.category,
                existing_rows.event_timestamp,
                existing_rows.quantity,
                existing_rows.reported_price,
                existing_rows.version_count,
                existing_rows.reading_number as existing_reading_number,
                existing_rows.quantity_before as existing_quantity_before,
                numbers_before.category as existing_category_before,
                existing_rows.price_before as existing_price_before,
                existing_rows.reading_before_at as existing_reading_before_at
            from existing_rows
            inner join numbers
                on
                    existing_rows.store_location = numbers.store_location
                    and existing_rows.product_id = numbers.product_id
                    and existing_rows.category = numbers.category_name
            left join numbers as numbers_before
                on
                    existing_rows.store_location = numbers_before.store_location
                    and existing_rows.product_id = numbers_before.product_id
                    and coalesce(existing_rows.left_category, existing_rows.category) = numbers_before.category_name
                    and existing_rows.reading_before_at is not null
            anti join candidates
                on
                    existing_rows.store_location = candidates.store_location
                    and existing_rows.product_id = candidates.product_id
                    and existing_rows.event_timestamp = candidates.event_timestamp

        ),

    {% else %}

        -- numbers instead of names: what is grouped and sorted below takes a third of the memory
        numbers as materialized (

            select
                store_location,
                product_id,
                category as category_name,
                cast(dense_rank() over (order by store_location, product_id) as integer) as product,
                cast(dense_rank() over (order by category) as integer) as category
            from readings
            group by store_location, product_id, category

        ),

        numbered_readings as materialized (

            select
                numbers.product,
                numbers.category,
                readings.event_timestamp,
                readings.quantity,
                readings.price as reported_price
            from readings
            inner join numbers
                on
                    readings.store_location = numbers.store_location
                    and readings.product_id = numbers.product_id
                    and readings.category = numbers.category_name

        ),

        -- deciding between versions is costly and few timestamps have more than one: the others go past it
        conflicting_timestamps as materialized (

            select
                product,
                event_timestamp
            from numbered_readings
            group by product, event_timestamp
            having count(*) > 1

        ),

        candidates as (

            select readings.*
            from readings
            inner join numbers
                on
                    readings.store_location = numbers.store_location
                    and readings.product_id = numbers.product_id
                    and readings.category = numbers.category_name
            semi join conflicting_timestamps
                on
                    numbers.product = conflicting_timestamps.product
                    and readings.event_timestamp = conflicting_timestamps.event_timestamp

        ),

        undisputed as (

            select
                numbered_readings.*,
                1 as version_count
            from numbered_readings
            anti join conflicting_timestamps
                on
                    numbered_readings.product = conflicting_timestamps.product
                    and numbered_readings.event_timestamp = conflicting_timestamps.event_timestamp

        ),

    {% endif %}

    products as (

        select distinct
            product,
            store_location,
            product_id
        from numbers

    ),

    categories as (

        select distinct
            category,
            category_name
        from numbers

    ),

    -- the same version read twice is one reading, first seen when it first arrived
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

    -- of several versions for one timestamp the later arrival is accepted
    decided as (

        select
            store_location,
            product_id,
            event_timestamp,
            arg_max(category, arrival) as category_name,
            arg_max(quantity, arrival) as quantity,
            arg_max_null(price, arrival) as reported_price,
            count(*) as version_count
        from distinct_candidates
        group by store_location, product_id, event_timestamp

    ),

    accepted as (

        select * from undisputed
        union all by name
        select
            numbers.product,
            numbers.category,
            decided.event_timestamp,
            decided.quantity,
            decided.reported_price,
            decided.version_count
        from decided
        inner join numbers
            on
                decided.store_location = numbers.store_location
                and decided.product_id = numbers.product_id
                and decided.category_name = numbers.category_name

    ),

    levels as (

        select
            *,
            greatest(quantity, 0) as stock_level,
            abs(quantity) > {{ var('accepted_quantity') }} as is_out_of_range,
            -- quantities that are out of range are a series of their own: the others are neighbours of one another
            case when is_out_of_range then -product else product end as series,
            case when abs(reported_price) <= {{ var('accepted_price') }} then reported_price end as accepted_price
        from accepted

    ),

    neighbours as (

        select
            *,
            row_number() over series_readings - 1
            + coalesce({{ first_existing('reading_number') }}, 1) as reading_number,
            coalesce(lag(quantity) over series_readings, {{ first_existing('quantity_before') }}) as quantity_before,
            coalesce(lag(category) over series_readings, {{ first_existing('category_before') }}) as category_before,
            coalesce(last_value(accepted_price ignore nulls) over before_now, {{ first_existing('price_before') }})
                as price_before,
            coalesce(lag(event_timestamp) over series_readings, {{ first_existing('reading_before_at') }})
                as reading_before_at,
            lead(stock_level) over series_readings as level_after,
            lead(event_timestamp) over series_readings as reading_after_at
        from levels
        window
            series_readings as (
                partition by series
                order by event_timestamp
            ),
            before_now as (series_readings rows between unbounded preceding and 1 preceding)
        -- an incremental build reads the last weeks: they lie together
        order by event_timestamp

    ),

    final as (

        select
            products.store_location,
            products.product_id,
            categories.category_name as category,
            neighbours.quantity,
            neighbours.stock_level,
            neighbours.reported_price,
            coalesce(neighbours.accepted_price, neighbours.price_before) as price,
            neighbours.is_out_of_range,
            neighbours.version_count,
            neighbours.reading_number,
            neighbours.quantity_before,
            left_categories.category_name as left_category,
            neighbours.price_before,
            neighbours.level_after,
            neighbours.reading_before_at,
            neighbours.event_timestamp,
            neighbours.reading_after_at
        from neighbours
        inner join products
            on neighbours.product = products.product
        inner join categories
            on neighbours.category = categories.category
        left join categories as left_categories
            on nullif(neighbours.category_before, neighbours.category) = left_categories.category

    )

    select * from final

    {% if is_incremental() %}
        -- what comes out as it is stays where it is
        except
        select * from existing_rows
    {% endif %}
{% endcall %}
