{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch'],
        pre_hook="{{ delete_touched(touched_products(), 'event_date >= ' ~ day_of('touched.changed_from')) }}"
    )
}}

{% for part in product_parts() %}
    {{ 'union all' if not loop.first }}
    from (
        with

        -- read where it is needed: a copy would hold all days
        product_daily as not materialized (

            select * from {{ ref('int_product_daily') }}

        ),

        {% if is_incremental() %}

            {# A day rests on 37 before it, and on the four weeks until stock last moved. Nothing is before the day whose
               first reading follows none. #}
            {{ relevant_past(
                'product_daily',
                recent="event_date >= " ~ day_of(unchanged_until()) ~ " - 70",
                too_few="arg_min_null(
                        observed_us > epoch_us(last_reading_at) - epoch_us(first_reading_at), event_date
                    )
                    and (
                        count(*) filter (where event_date < " ~ day_of('changed_from') ~ ") < 37
                        or coalesce(
                            max(event_date) filter (
                                where event_date < " ~ day_of('changed_from') ~ " and (units_out > 0 or units_in > 0)
                            ) < " ~ day_of(unchanged_until()) ~ " - 42,
                            true
                        )
                    )"
            ) }}

        {% else %}

            relevant_product_daily as not materialized (

                select * from product_daily
                where {{ part }}

            ),

        {% endif %}

        -- windows sort numbers faster than names
        products as materialized (

            select
                store_location,
                product_id,
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

        )

        select final.*
        from final
        {% if is_incremental() %}
            inner join touched_products
                on
                    final.store_location = touched_products.store_location
                    and final.product_id = touched_products.product_id
                    and final.event_date >= {{ day_of('touched_products.changed_from') }}
        {% endif %}
    ) as part
{% endfor %}
