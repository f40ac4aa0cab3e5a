{# The level stands still while the product's own pace says that many units should have gone: a stuck sensor, or stock
   that only the record still has. Told once a standstill, on the day that reaches the limit. Fewer than five days are
   a quiet spell, even of a fast product. #}
{% macro rule__quantity__flat_line() %}
    select
        store_location,
        category,
        product_id,
        last_reading_at as event_timestamp,
        closing_quantity as reading_value,
        expected_units as observed_value,
        cast(still_days as varchar) as evidence
    from (
        select
            *,
            event_date - moved_on as still_days,
            usual_units_out * (event_date - moved_on) / 28.0 as expected_units
        from (
            select
                *,
                last_value(case when units_out > 0 or units_in > 0 then event_date end ignore nulls) over so_far
                    as moved_on,
                last_value(case when units_out > 0 or units_in > 0 then four_weeks_out end ignore nulls) over so_far
                    as usual_units_out
            from (
                select
                    *,
                    sum(units_out) over (
                        partition by store_location, product_id
                        order by event_date
                        range between interval 27 days preceding and current row
                    ) as four_weeks_out
                from product_daily
            )
            window
                so_far as (
                    partition by store_location, product_id
                    order by event_date
                    rows between unbounded preceding and current row
                )
        )
    )
    where
        closing_quantity > 0
        and still_days >= 5
        and expected_units >= {{ rule_limit('flat_line') }}
    qualify
        row_number() over (
            partition by store_location, product_id, moved_on
            order by event_date
        ) = 1
{% endmacro %}
