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

        -- read where it is needed: a copy would hold all readings
        accepted_readings as not materialized (

            select * from {{ ref('int_accepted_readings') }}
            where {{ part }}

        ),

        suspect_readings as (

            select * from {{ ref('int_suspect_readings') }}

        ),

        suspect_prices as (

            select * from {{ ref('int_suspect_prices') }}

        ),

        {% if is_incremental() %}

            touched_products as materialized (

                {{ touched_products() }}

            ),

            -- the reading before the first that may change gets another successor
            existing_rows as materialized (

                select
                    stored.*,
                    stored.event_timestamp < touched_products.changed_from as is_before_changes
                from {{ this }} as stored
                inner join touched_products
                    on
                        stored.store_location = touched_products.store_location
                        and stored.product_id = touched_products.product_id
                where
                    (stored.next_reading_at >= {{ unchanged_until() }} or stored.next_reading_at is null)
                    and (stored.next_reading_at >= touched_products.changed_from or stored.next_reading_at is null)

            ),

            readings as (

                select
                    accepted_readings.store_location,
                    accepted_readings.product_id,
                    accepted_readings.category,
                    accepted_readings.quantity,
                    accepted_readings.stock_level,
                    accepted_readings.reported_price,
                    accepted_readings.event_timestamp
                from accepted_readings
                inner join touched_products
                    on
                        accepted_readings.store_location = touched_products.store_location
                        and accepted_readings.product_id = touched_products.product_id
                        and accepted_readings.event_timestamp >= touched_products.changed_from
                where accepted_readings.event_timestamp >= {{ unchanged_until() }}
                union all by name
                select
                    store_location,
                    product_id,
                    category,
                    quantity,
                    stock_level,
                    reported_price,
                    event_timestamp,
                    previous_quantity as existing_previous_quantity,
                    case when previous_reading_at is not null then coalesce(left_category, category) end
                        as existing_previous_category,
                    previous_price as existing_previous_price,
                    previous_reading_at as existing_previous_reading_at
                from existing_rows
                where is_before_changes

            ),

        {% else %}

            suspect_products as (

                select
                    store_location,
                    product_id
                from suspect_readings
                union
                select
                    store_location,
                    product_id
                from suspect_prices

            ),

            readings as (

                select accepted_readings.*
                from accepted_readings
                semi join suspect_products
                    on
                        accepted_readings.store_location = suspect_products.store_location
                        and accepted_readings.product_id = suspect_products.product_id

            ),

        {% endif %}

        -- windows sort numbers faster than names
        products as materialized (

            select
                store_location,
                product_id,
                cast(row_number() over (order by store_location, product_id) as integer) as product
            from {{ 'touched_products' if is_incremental() else 'suspect_products' }}

        ),

        -- what is suspect in its level is not trusted in its price either
        judged as (

            select
                readings.*,
                suspect_readings.event_timestamp is not null as is_suspect,
                -- suspect readings are a series of their own: the others follow one another
                case when is_suspect then -products.product else products.product end as series,
                case
                    when
                        not is_suspect
                        and suspect_prices.event_timestamp is null
                        and abs(readings.reported_price) <= {{ var('accepted_price') }}
                        then readings.reported_price
                end as trusted_price
            from readings
            inner join products
                on
                    readings.store_location = products.store_location -- noqa: ST09
                    and readings.product_id = products.product_id -- noqa: ST09
            left join suspect_readings
                on
                    readings.store_location = suspect_readings.store_location
                    and readings.product_id = suspect_readings.product_id
                    and readings.event_timestamp = suspect_readings.event_timestamp
            left join suspect_prices
                on
                    readings.store_location = suspect_prices.store_location
                    and readings.product_id = suspect_prices.product_id
                    and readings.event_timestamp = suspect_prices.event_timestamp

        ),

        followed as (

            select
                *,
                {{ or_existing('lag(quantity) over series_readings', 'previous_quantity') }} as previous_quantity,
                {{ or_existing('lag(category) over series_readings', 'previous_category') }} as previous_category,
                {{ or_existing('lag(event_timestamp) over series_readings', 'previous_reading_at') }}
                    as previous_reading_at,
                {{ or_existing('last_value(trusted_price ignore nulls) over before_now', 'previous_price') }}
                    as previous_price,
                lead(event_timestamp) over series_readings as next_reading_at
            from judged
            window
                series_readings as (
                    partition by series
                    order by event_timestamp
                ),
                before_now as (series_readings rows between unbounded preceding and 1 preceding)
            {% if not is_incremental() %}
                -- an incremental build reads the last weeks: they lie together, as they do in accepted_readings
                order by event_timestamp
            {% endif %}

        ),

        final as (

            select
                store_location,
                product_id,
                category,
                quantity,
                stock_level,
                reported_price,
                coalesce(trusted_price, previous_price) as price,
                is_suspect,
                case when not is_suspect then previous_quantity end as previous_quantity,
                case when not is_suspect then nullif(previous_category, category) end as left_category,
                previous_price,
                case when not is_suspect then previous_reading_at end as previous_reading_at,
                event_timestamp,
                next_reading_at
            from followed

            {% if not is_incremental() %}

                union all

                -- where no reading is suspect the reading before is the one to trust
                select
                    accepted_readings.store_location,
                    accepted_readings.product_id,
                    accepted_readings.category,
                    accepted_readings.quantity,
                    accepted_readings.stock_level,
                    accepted_readings.reported_price,
                    accepted_readings.price,
                    false as is_suspect,
                    accepted_readings.quantity_before as previous_quantity,
                    accepted_readings.left_category,
                    accepted_readings.price_before as previous_price,
                    accepted_readings.reading_before_at as previous_reading_at,
                    accepted_readings.event_timestamp,
                    accepted_readings.reading_after_at as next_reading_at
                from accepted_readings
                anti join suspect_products
                    on
                        accepted_readings.store_location = suspect_products.store_location
                        and accepted_readings.product_id = suspect_products.product_id

            {% endif %}

        )

        select final.*
        from final
        {% if is_incremental() %}
            -- what comes out as it is stays where it is
            except
            select * exclude (is_before_changes) from existing_rows
        {% endif %}
    ) as part
{% endfor %}
