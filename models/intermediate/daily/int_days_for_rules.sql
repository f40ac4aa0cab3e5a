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

    -- read where it is needed: a copy would hold all days
    product_daily as not materialized (

        select * from {{ ref('int_product_daily') }}

    ),

    {% if is_incremental() %}

        touched_products as (

            select * from {{ ref('int_touched_products') }}

        ),

        -- A day is compared with 37 before it, and with the four weeks until stock last moved. Nothing is before the day whose first
        -- reading follows none.
        recent_days as materialized (

            select
                product_daily.*,
                touched_products.changed_from
            from product_daily
            inner join touched_products
                on
                    product_daily.store_location = touched_products.store_location
                    and product_daily.product_id = touched_products.product_id
                    and product_daily.event_date >= {{ day_of('touched_products.changed_from') }} - 70

        ),

        sparse_products as (

            select
                store_location,
                product_id,
                any_value(changed_from) as changed_from
            from recent_days
            group by store_location, product_id
            having
                arg_min_null(observed_us > epoch_us(last_reading_at) - epoch_us(first_reading_at), event_date)
                and (
                    count(*) filter (where event_date < {{ day_of('changed_from') }}) < 37
                    or coalesce(
                        max(event_date) filter (
                            where event_date < {{ day_of('changed_from') }} and (units_out > 0 or units_in > 0)
                        ) < {{ day_of('any_value(changed_from)') }} - 42,
                        true
                    )
                )

        ),

        relevant_product_daily as materialized (

            select recent_days.*
            from recent_days
            anti join sparse_products
                on
                    recent_days.store_location = sparse_products.store_location
                    and recent_days.product_id = sparse_products.product_id
            union all
            select
                product_daily.*,
                sparse_products.changed_from
            from product_daily
            inner join sparse_products
                on
                    product_daily.store_location = sparse_products.store_location
                    and product_daily.product_id = sparse_products.product_id

        ),

    {% else %}

        relevant_product_daily as not materialized (

            select
                *,
                timestamp '-infinity' as changed_from
            from product_daily
            where {{ part }}

        ),

    {% endif %}

    -- windows sort numbers faster than names
    products as materialized (

        select
            store_location,
            product_id,
            any_value(changed_from) as changed_from,
            cast(row_number() over () as integer) as product
        from relevant_product_daily
        group by store_location, product_id

    ),

    days as (

        select
            products.product,
            relevant_product_daily.category,
            relevant_product_daily.event_date,
            relevant_product_daily.last_reading_at,
            relevant_product_daily.closing_quantity,
            relevant_product_daily.units_out,
            relevant_product_daily.units_in,
            relevant_product_daily.observed_us,
            case
                when relevant_product_daily.units_out > 0 or relevant_product_daily.units_in > 0
                    then relevant_product_daily.event_date
            end as moving_date
        from relevant_product_daily
        inner join products
            on
                relevant_product_daily.store_location = products.store_location
                and relevant_product_daily.product_id = products.product_id

    ),

    past as materialized (

        select
            *,
            last_value(moving_date ignore nulls) over so_far as moved_on,
            sum(units_out) over four_weeks as four_weeks_out,
            sum(observed_us) over four_weeks as four_weeks_us,
            lag(event_date, 9) over product_days as ten_days_began_on,
            count(nullif(units_out, 0)) over ten_days as days_with_units_out,
            sum(units_out) over ten_days as ten_days_out,
            sum(cast(units_out as hugeint) * units_out) over ten_days as ten_days_out_squared,
            sum(units_in) over ten_days as ten_days_in,
            sum(units_out) over weeks_before as units_out_before,
            count(*) over weeks_before as days_before
        from days
        window
            product_days as (
                partition by product
                order by event_date
            ),
            so_far as (product_days rows between unbounded preceding and current row),
            four_weeks as (product_days range between 27 preceding and current row),
            ten_days as (product_days rows between 9 preceding and current row),
            weeks_before as (product_days rows between 37 preceding and 10 preceding)

    ),

    remarkable as (

        select
            *,
            event_date - moved_on as still_days,
            event_date - ten_days_began_on as ten_days_span
        from past
        where {{ kept_for_rules('day') }}

    ),

    -- the pace of a product that stands still is that of the four weeks until it last moved, or of the longer time
    -- since the reading before them
    paced as (

        select
            remarkable.*,
            past.four_weeks_out / greatest(past.four_weeks_us / 86400e6, 28) as usual_daily_out
        from remarkable
        left join past
            on
                remarkable.product = past.product
                and remarkable.moved_on = past.event_date

    ),

    final as (

        select
            products.store_location,
            products.product_id,
            paced.category,
            paced.event_date,
            paced.last_reading_at,
            paced.closing_quantity,
            paced.moved_on,
            paced.still_days,
            paced.usual_daily_out,
            paced.ten_days_span,
            paced.days_with_units_out,
            paced.ten_days_out,
            paced.ten_days_out_squared,
            paced.ten_days_in,
            paced.units_out_before,
            paced.days_before
        from paced
        inner join products
            on paced.product = products.product
        where paced.event_date >= {{ day_of('products.changed_from') }}

    )

    select * from final
{% endcall %}
