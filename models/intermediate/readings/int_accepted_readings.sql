{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['store_location', 'product_id', 'event_timestamp'],
        on_schema_change='fail',
        tags=['by_batch']
    )
}}

{% for part in product_parts() %}
    {{ 'union all' if not loop.first }}
    from (
        with

        -- read anew for each use: a copy of all readings would cost more
        readings as not materialized (

            select * from {{ ref('stg_inventory_events__readings') }}
            where {{ part }}
            {% if var('as_of') %}
                and event_timestamp <= timestamp '{{ var("as_of") }}'
            {% endif %}

        ),

        {% if is_incremental() %}

            new_readings as (

                select * from {{ new_readings() }}

            ),

            products as materialized (

                select
                    store_location,
                    product_id,
                    row_number() over (order by store_location, product_id) as product,
                    min(event_timestamp) as first_touched_at
                from new_readings
                group by store_location, product_id

            ),

            -- the reading before the first touched one gets another successor, later ones another past
            existing_rows as materialized (

                select stored.*
                from {{ this }} as stored
                inner join products
                    on
                        stored.store_location = products.store_location
                        and stored.product_id = products.product_id
                where
                    (stored.reading_after_at >= {{ unchanged_until() }} or stored.reading_after_at is null)
                    and (stored.reading_after_at >= products.first_touched_at or stored.reading_after_at is null)

            ),

            -- what was read for the same timestamp before takes part in the decision again: raw still has it
            conflicting_timestamps as (

                select
                    new_readings.store_location,
                    new_readings.product_id,
                    new_readings.event_timestamp
                from new_readings
                semi join existing_rows
                    on
                        new_readings.store_location = existing_rows.store_location
                        and new_readings.product_id = existing_rows.product_id
                        and new_readings.event_timestamp = existing_rows.event_timestamp

            ),

            candidates as (

                select
                    readings.store_location,
                    readings.product_id,
                    readings.event_timestamp,
                    readings.category,
                    readings.quantity,
                    readings.price,
                    readings.arrival
                from readings
                semi join conflicting_timestamps
                    on
                        readings.store_location = conflicting_timestamps.store_location
                        and readings.product_id = conflicting_timestamps.product_id
                        and readings.event_timestamp = conflicting_timestamps.event_timestamp
                where readings.event_month >= strftime({{ unchanged_until() }}, '%Y-%m')
                union all
                select
                    store_location,
                    product_id,
                    event_timestamp,
                    category,
                    quantity,
                    price,
                    arrival
                from new_readings

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
                inner join products
                    on
                        readings.store_location = products.store_location
                        and readings.product_id = products.product_id
                semi join conflicting_timestamps
                    on
                        products.product = conflicting_timestamps.product
                        and readings.event_timestamp = conflicting_timestamps.event_timestamp

            ),

        {% endif %}

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
                arg_max(category, arrival) as category,
                arg_max(quantity, arrival) as quantity,
                arg_max_null(price, arrival) as reported_price,
                count(*) as version_count
            from distinct_candidates
            group by store_location, product_id, event_timestamp

        ),

        {% if is_incremental() %}

            accepted as (

                select
                    store_location,
                    product_id,
                    category,
                    event_timestamp,
                    quantity,
                    reported_price,
                    version_count,
                    reading_number as existing_reading_number,
                    quantity_before as existing_quantity_before,
                    case when reading_before_at is not null then coalesce(left_category, category) end
                        as existing_category_before,
                    price_before as existing_price_before,
                    reading_before_at as existing_reading_before_at
                from existing_rows
                anti join decided using (store_location, product_id, event_timestamp)
                union all by name
                select * from decided

            ),

            numbered as (

                select
                    accepted.*,
                    products.product
                from accepted
                inner join products
                    on
                        accepted.store_location = products.store_location
                        and accepted.product_id = products.product_id

            ),

        {% else %}

            numbered as (

                select
                    numbered_readings.*,
                    1 as version_count
                from numbered_readings
                anti join conflicting_timestamps
                    on
                        numbered_readings.product = conflicting_timestamps.product
                        and numbered_readings.event_timestamp = conflicting_timestamps.event_timestamp
                union all
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
                        and decided.category = numbers.category_name

            ),

        {% endif %}

        levels as (

            select
                *,
                greatest(quantity, 0) as stock_level,
                abs(quantity) > {{ var('accepted_quantity') }} as is_out_of_range,
                -- quantities that are out of range are a series of their own: the others are neighbours of one another
                case when is_out_of_range then -product else product end as series,
                case when abs(reported_price) <= {{ var('accepted_price') }} then reported_price end as accepted_price
            from numbered

        ),

        neighbours as (

            select
                *,
                row_number() over series_readings
                {% if is_incremental() %}
                    + coalesce(first_value(existing_reading_number) over series_readings, 1) - 1
                {% endif %} as reading_number,
                {{ or_existing('lag(quantity) over series_readings', 'quantity_before') }} as quantity_before,
                {{ or_existing('lag(category) over series_readings', 'category_before') }} as category_before,
                {{ or_existing('last_value(accepted_price ignore nulls) over before_now', 'price_before') }}
                    as price_before,
                {{ or_existing('lag(event_timestamp) over series_readings', 'reading_before_at') }}
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
            {% if not is_incremental() %}
                -- an incremental build reads the last weeks: they lie together
                order by event_timestamp
            {% endif %}

        ),

        final as (

            select
                products.store_location,
                products.product_id,
                {{ 'neighbours.category' if is_incremental() else 'categories.category_name' }} as category,
                neighbours.quantity,
                neighbours.stock_level,
                neighbours.reported_price,
                coalesce(neighbours.accepted_price, neighbours.price_before) as price,
                neighbours.is_out_of_range,
                neighbours.version_count,
                neighbours.reading_number,
                neighbours.quantity_before,
                {{ 'nullif(neighbours.category_before, neighbours.category)' if is_incremental()
                    else 'left_categories.category_name' }} as left_category,
                neighbours.price_before,
                neighbours.level_after,
                neighbours.reading_before_at,
                neighbours.event_timestamp,
                neighbours.reading_after_at
            from neighbours
            inner join products
                on neighbours.product = products.product
            {% if not is_incremental() %}
                inner join categories
                    on neighbours.category = categories.category
                left join categories as left_categories
                    on nullif(neighbours.category_before, neighbours.category) = left_categories.category
            {% endif %}

        )

        select final.*
        from final
        {% if is_incremental() %}
            -- what comes out as it is stays where it is
            except
            select * from existing_rows
        {% endif %}
    ) as part
{% endfor %}
