{# The level does not change although, at the product's usual pace, that many units should have gone out: a stuck sensor,
   or stock that exists only in the record. One anomaly for each standstill, on the day that reaches the limit. Fewer
   than five days are a quiet spell, even for a fast product. #}
{% macro rule__quantity__flat_line() %}
    select
        store_location,
        category,
        product_id,
        last_reading_at as event_timestamp,
        closing_quantity as observed_value,
        usual_daily_out * still_days as score,
        cast(still_days as varchar) as evidence
    from days_for_rules
    where
        closing_quantity > 0
        and still_days >= 5
        and usual_daily_out * still_days >= {{ rule_threshold('flat_line') }}
    qualify
        row_number() over (
            partition by store_location, product_id, moved_on
            order by event_date
        ) = 1
{% endmacro %}


{% macro keep_day__quantity__flat_line() %}
    closing_quantity > 0
    and still_days >= 5
{%- endmacro %}
