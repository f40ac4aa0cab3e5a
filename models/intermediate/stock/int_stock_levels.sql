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

        spike_rule as (

            select limit_value as spike_ratio
            from {{ ref('anomaly_rules') }}
            where rule_id = 'returned_spike'

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

            -- the reading before the first touched one gets another successor; all later ones may change
            standing as (

                select stored.*
                from {{ this }} as stored
                inner join products
                    on
                        stored.store_location = products.store_location
                        and stored.product_id = products.product_id
                where
                    (stored.next_reading_at >= {{ unchanged_until() }} or stored.next_reading_at is null)
                    and (stored.next_reading_at >= products.first_touched_at or stored.next_reading_at is null)

            ),

            -- what was read for the same moment before takes part in the decision again: raw still has it
            contested_moments as (

                select
                    new_readings.store_location,
                    new_readings.product_id,
                    new_readings.event_timestamp
                from new_readings
                semi join standing
                    on
                        new_readings.store_location = standing.store_location
                        and new_readings.product_id = standing.product_id
                        and new_readings.event_timestamp = standing.event_timestamp

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
                semi join contested_moments
                    on
                        readings.store_location = contested_moments.store_location
                        and readings.product_id = contested_moments.product_id
                        and readings.event_timestamp = contested_moments.event_timestamp
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

            -- Deciding between contents is costly and few moments have more than one: the others go past it. Moments
            -- that merely share a hash are decided one by one, so nothing rests on the hash.
            contested_moments as (

                select hash(store_location, product_id, event_timestamp) as moment_hash
                from readings
                group by moment_hash
                having count(*) > 1

            ),

            candidates as (

                select readings.*
                from readings
                semi join contested_moments
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

        {% if is_incremental() %}

            believed_readings as (

                select
                    store_location,
                    product_id,
                    category,
                    event_timestamp,
                    quantity,
                    reported_price,
                    content_count,
                    level_before as standing_level_before,
                    previous_quantity as standing_previous_quantity,
                    previous_category as standing_previous_category,
                    previous_price as standing_previous_price,
                    previous_reading_at as standing_previous_reading_at
                from standing
                anti join decided using (store_location, product_id, event_timestamp)
                union all by name
                select * from decided

            ),

            numbered as (

                select
                    believed_readings.*,
                    products.product
                from believed_readings
                inner join products
                    on
                        believed_readings.store_location = products.store_location
                        and believed_readings.product_id = products.product_id

            ),

        {% else %}

            names as materialized (

                select
                    store_location,
                    product_id,
                    category
                from readings
                group by store_location, product_id, category

            ),

            -- the windows below sort numbers instead of names, which takes a third of the memory
            products as materialized (

                select
                    store_location,
                    product_id,
                    cast(row_number() over (order by store_location, product_id) as integer) as product
                from names
                group by store_location, product_id

            ),

            categories as materialized (

                select
                    category as category_name,
                    cast(row_number() over (order by category) as integer) as category
                from names
                group by category_name

            ),

            believed_readings as (

                select * from decided
                union all
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

            ),

            numbered as (

                select
                    products.product,
                    categories.category,
                    believed_readings.event_timestamp,
                    believed_readings.quantity,
                    believed_readings.reported_price,
                    believed_readings.content_count
                from believed_readings
                inner join products
                    on
                        believed_readings.store_location = products.store_location
                        and believed_readings.product_id = products.product_id
                inner join categories
                    on believed_readings.category = categories.category_name

            ),

        {% endif %}

        neighbours as (

            select
                *,
                greatest(quantity, 0) as stock_level,
                {{ or_standing('lag(greatest(quantity, 0)) over product_readings', 'level_before') }} as level_before,
                lead(greatest(quantity, 0)) over product_readings as level_after,
                lead(event_timestamp) over product_readings as next_reading_at
            from numbered
            window
                product_readings as (
                    partition by product
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
        believed as (

            select
                *,
                case when not is_suspect then quantity end as believed_quantity,
                case when not is_suspect then category end as believed_category,
                case when not is_suspect then reported_price end as believed_price,
                case when not is_suspect then event_timestamp end as believed_reading_at
            from judged

        ),

        carried as (

            select
                product,
                category,
                quantity,
                reported_price,
                is_suspect,
                content_count,
                level_before,
                event_timestamp,
                next_reading_at,
                {{ or_standing('last_value(believed_price ignore nulls) over until_now', 'previous_price') }} as price,
                {{ or_standing('last_value(believed_quantity ignore nulls) over before_now', 'previous_quantity') }}
                    as previous_quantity,
                {{ or_standing('last_value(believed_category ignore nulls) over before_now', 'previous_category') }}
                    as previous_category,
                {{ or_standing('last_value(believed_price ignore nulls) over before_now', 'previous_price') }}
                    as previous_price,
                {{ or_standing('last_value(believed_reading_at ignore nulls) over before_now', 'previous_reading_at') }}
                    as previous_reading_at
            from believed
            window
                product_readings as (
                    partition by product
                    order by event_timestamp
                ),
                until_now as (product_readings rows between unbounded preceding and current row),
                before_now as (product_readings rows between unbounded preceding and 1 preceding)
            {% if not is_incremental() %}
                -- an incremental build reads the last weeks: they lie together
                order by event_timestamp
            {% endif %}

        ),

        final as (

            select
                products.store_location,
                products.product_id,
                {{ 'carried.category' if is_incremental() else 'categories.category_name' }} as category,
                carried.quantity,
                greatest(carried.quantity, 0) as stock_level,
                carried.reported_price,
                carried.price,
                carried.is_suspect,
                carried.content_count,
                carried.level_before,
                carried.previous_quantity,
                {{ 'carried.previous_category' if is_incremental() else 'previous_categories.category_name' }}
                    as previous_category,
                carried.previous_price,
                carried.previous_reading_at,
                carried.event_timestamp,
                carried.next_reading_at
            from carried
            inner join products
                on carried.product = products.product
            {% if not is_incremental() %}
                inner join categories
                    on carried.category = categories.category
                left join categories as previous_categories
                    on carried.previous_category = previous_categories.category
            {% endif %}

        )

        select * from final
        {% if is_incremental() %}
            -- what comes out as it stands stays where it is
            except
            select * from standing
        {% endif %}
    ) as part
{% endfor %}
