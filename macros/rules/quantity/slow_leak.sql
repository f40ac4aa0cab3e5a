{# Ten days on which 1.5 to 6 % of the stock trickle away almost evenly, faster than the product goes by itself: shrinkage
   or a scale that drifts. Sales are uneven; where a product sells as evenly and as fast, a leak cannot be told from
   them by levels alone. #}
{% macro rule__quantity__slow_leak() %}
    select
        store_location,
        category,
        product_id,
        last_reading_at as event_timestamp,
        closing_quantity as reading_value,
        (leaked / 10) / (units_out_before / days_before) as observed_value,
        cast(leaked as varchar) as evidence
    from (
        select
            *,
            count(*) over ten_days as days_read,
            event_date - min(event_date) over ten_days as days_spanned,
            count(nullif(units_out, 0)) over ten_days as days_with_units_out,
            sum(units_out) over ten_days as leaked,
            sum(units_out * units_out) over ten_days as leaked_squared,
            sum(units_in) over ten_days as received,
            sum(units_out) over weeks_before as units_out_before,
            count(*) over weeks_before as days_before
        from product_daily
        window
            product_days as (
                partition by store_location, product_id
                order by event_date
            ),
            ten_days as (product_days rows between 9 preceding and current row),
            weeks_before as (product_days rows between 37 preceding and 10 preceding)
    )
    where
        days_read = 10
        and days_spanned <= 13
        and days_with_units_out >= 9
        and days_before >= 14
        and received = 0
        and closing_quantity > 0
        and 1 - power(closing_quantity / (closing_quantity + leaked), 0.1) between 0.015 and 0.06
        -- even: the standard deviation of the ten days is at most half their mean
        and 10 * leaked_squared - leaked * leaked <= 0.25 * leaked * leaked
{% endmacro %}
