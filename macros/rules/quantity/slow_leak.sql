{# Ten days on which 1.5 to 6 % of the stock trickle away almost evenly, faster than the product usually sells: shrinkage
   or a scale that drifts. Sales are uneven. A product that sells as evenly and as fast looks the same as a leak. #}
{% macro rule__quantity__slow_leak() %}
    select
        store_location,
        category,
        product_id,
        last_reading_at as event_timestamp,
        closing_quantity as observed_value,
        (ten_days_out / 10) / (units_out_before / days_before) as score,
        format('{:,}', cast(ten_days_out as bigint)) as evidence
    from days_for_rules
    where
        closing_quantity > 0
        and ten_days_span <= 13
        and days_with_units_out >= 9
        and days_before >= 14
        and ten_days_in = 0
        and 1 - power(closing_quantity / (closing_quantity + ten_days_out), 0.1) between 0.015 and 0.06
        -- even: the standard deviation of the ten days is at most half their mean
        and 10 * ten_days_out_squared - ten_days_out * ten_days_out <= 0.25 * ten_days_out * ten_days_out
{% endmacro %}


{% macro keep_day__quantity__slow_leak() %}
    closing_quantity > 0
    and ten_days_in = 0
    and days_with_units_out >= 9
    and ten_days_out * days_before > 10 * units_out_before
{%- endmacro %}
