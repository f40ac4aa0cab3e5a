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
                    min(event_timestamp) as first_touched_at,
                    max(event_timestamp) as last_touched_at
                from new_readings
                group by store_location, product_id

            ),

            -- the reading before the first touched one gets another successor, later ones another past
            followers as materialized (

                select
                    stored.*,
                    products.last_touched_at
                from {{ this }} as stored
                inner join products
                    on
                        stored.store_location = products.store_location
                        and stored.product_id = products.product_id
                where
                    (stored.next_reading_at >= {{ unchanged_until() }} or stored.next_reading_at is null)
                    and (stored.next_reading_at >= products.first_touched_at or stored.next_reading_at is null)

            ),

            -- What follows a believed reading with a price of its own stays as it is, if that one follows none that was
            -- touched: the price is no longer carried, and a spike is judged by its neighbours.
            settled as materialized (

                select
                    store_location,
                    product_id,
                    min(event_timestamp) as settled_at,
                    arg_min(next_reading_at, event_timestamp) as judged_by_reading_at
                from followers
                where
                    previous_reading_at > last_touched_at
                    and not is_suspect
                    and reported_price is not null
                group by store_location, product_id

            ),

            standing as materialized (

                select followers.* exclude (last_touched_at)
                from followers
                left join settled
                    on
                        followers.store_location = settled.store_location
                        and followers.product_id = settled.product_id
                where coalesce(followers.event_timestamp <= settled.judged_by_reading_at, true)

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

            -- deciding between contents is costly and few moments have more than one: the others go past it
            contested_moments as materialized (

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
                semi join contested_moments
                    on
                        products.product = contested_moments.product
                        and readings.event_timestamp = contested_moments.event_timestamp

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
                    case when previous_reading_at is not null then coalesce(left_category, category) end
                        as standing_previous_category,
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

            numbered as (

                select
                    numbered_readings.*,
                    1 as content_count
                from numbered_readings
                anti join contested_moments
                    on
                        numbered_readings.product = contested_moments.product
                        and numbered_readings.event_timestamp = contested_moments.event_timestamp
                union all
                select
                    numbers.product,
                    numbers.category,
                    decided.event_timestamp,
                    decided.quantity,
                    decided.reported_price,
                    decided.content_count
                from decided
                inner join numbers
                    on
                        decided.store_location = numbers.store_location
                        and decided.product_id = numbers.product_id
                        and decided.category = numbers.category_name

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
                case when not is_suspect then reported_price end as believed_price
            from judged

        ),

        followed as (

            select
                product,
                category,
                quantity,
                reported_price,
                believed_price,
                is_suspect,
                content_count,
                level_before,
                event_timestamp,
                next_reading_at,
                {{ or_standing(believed_before('quantity'), 'previous_quantity') }} as previous_quantity,
                {{ or_standing(believed_before('category'), 'previous_category') }} as previous_category,
                {{ or_standing(believed_before('event_timestamp'), 'previous_reading_at') }} as previous_reading_at,
                {{ or_standing('last_value(believed_price ignore nulls) over before_now', 'previous_price') }}
                    as previous_price
            from believed
            window
                product_readings as (
                    partition by product
                    order by event_timestamp
                ),
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
                {{ 'followed.category' if is_incremental() else 'categories.category_name' }} as category,
                followed.quantity,
                greatest(followed.quantity, 0) as stock_level,
                followed.reported_price,
                coalesce(followed.believed_price, followed.previous_price) as price,
                followed.is_suspect,
                followed.content_count,
                followed.level_before,
                followed.previous_quantity,
                {{ 'nullif(followed.previous_category, followed.category)' if is_incremental()
                    else 'left_categories.category_name' }} as left_category,
                followed.previous_price,
                followed.previous_reading_at,
                followed.event_timestamp,
                followed.next_reading_at
            from followed
            inner join products
                on followed.product = products.product
            {% if not is_incremental() %}
                inner join categories
                    on followed.category = categories.category
                left join categories as left_categories
                    on nullif(followed.previous_category, followed.category) = left_categories.category
            {% endif %}

        )

        select final.*
        from final
        {% if is_incremental() %}
            left join settled
                on
                    final.store_location = settled.store_location
                    and final.product_id = settled.product_id
            where coalesce(final.event_timestamp <= settled.settled_at, true)
            -- what comes out as it stands stays where it is
            except
            select * from standing
        {% endif %}
    ) as part
{% endfor %}
