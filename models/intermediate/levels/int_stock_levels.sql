{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['store_location', 'product_id', 'event_timestamp'],
        on_schema_change='fail',
        tags=['by_batch', 'frequent']
    )
}}

-- depends_on: {{ ref('int_touched_products') }}

{% call(part) for_each_product_part() %}
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

        products as (

            select * from {{ ref('int_touched_products') }}

        ),

        -- the reading before the first that may change gets another successor
        existing_rows as materialized (

            select stored.*
            from {{ this }} as stored
            inner join products
                on
                    stored.store_location = products.store_location
                    and stored.product_id = products.product_id
                    and stored.next_reading_at >= products.changed_from
            union all
            select stored.*
            from {{ this }} as stored
            semi join products
                on
                    stored.store_location = products.store_location
                    and stored.product_id = products.product_id
            where stored.next_reading_at is null

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
            inner join products
                on
                    accepted_readings.store_location = products.store_location
                    and accepted_readings.product_id = products.product_id
                    and accepted_readings.event_timestamp >= products.changed_from
            union all by name
            select
                existing_rows.store_location,
                existing_rows.product_id,
                existing_rows.category,
                existing_rows.quantity,
                existing_rows.stock_level,
                existing_rows.reported_price,
                existing_rows.event_timestamp,
                existing_rows.previous_quantity as existing_previous_quantity,
                case
                    when existing_rows.previous_reading_at is not null
                        then coalesce(existing_rows.left_category, existing_rows.category)
                end as existing_previous_category,
                existing_rows.previous_price as existing_previous_price,
                existing_rows.previous_reading_at as existing_previous_reading_at
            from existing_rows
            inner join products
                on
                    existing_rows.store_location = products.store_location
                    and existing_rows.product_id = products.product_id
                    and existing_rows.event_timestamp < products.changed_from

        ),

    {% else %}

        -- the products of suspect readings: of all others the reading before is the one to trust
        products as (

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
            semi join products
                on
                    accepted_readings.store_location = products.store_location
                    and accepted_readings.product_id = products.product_id

        ),

        undisputed as (

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
            anti join products
                on
                    accepted_readings.store_location = products.store_location
                    and accepted_readings.product_id = products.product_id

        ),

    {% endif %}

    -- windows sort numbers faster than names
    numbers as materialized (

        select
            store_location,
            product_id,
            cast(row_number() over (order by store_location, product_id) as integer) as product
        from products

    ),

    -- what is suspect in its level is not trusted in its price either
    judged as (

        select
            readings.*,
            suspect_readings.event_timestamp is not null as is_suspect,
            -- suspect readings are a series of their own: the others follow one another
            case when is_suspect then -numbers.product else numbers.product end as series,
            case
                when
                    not is_suspect
                    and suspect_prices.event_timestamp is null
                    and abs(readings.reported_price) <= {{ var('accepted_price') }}
                    then readings.reported_price
            end as trusted_price
        from readings
        inner join numbers
            on
                readings.store_location = numbers.store_location -- noqa: ST09
                and readings.product_id = numbers.product_id -- noqa: ST09
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
            coalesce(lag(quantity) over series_readings, {{ first_existing('previous_quantity') }})
                as previous_quantity,
            coalesce(lag(category) over series_readings, {{ first_existing('previous_category') }})
                as previous_category,
            coalesce(lag(event_timestamp) over series_readings, {{ first_existing('previous_reading_at') }})
                as previous_reading_at,
            coalesce(last_value(trusted_price ignore nulls) over before_now, {{ first_existing('previous_price') }})
                as previous_price,
            lead(event_timestamp) over series_readings as next_reading_at
        from judged
        window
            series_readings as (
                partition by series
                order by event_timestamp
            ),
            before_now as (series_readings rows between unbounded preceding and 1 preceding)
        -- an incremental build reads the last weeks: they lie together, as they do in accepted_readings
        order by event_timestamp

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

    )

    select * from final

    {% if is_incremental() %}
        -- what comes out as it is stays where it is
        except
        select * from existing_rows
    {% else %}
        union all
        select * from undisputed
    {% endif %}
{% endcall %}
