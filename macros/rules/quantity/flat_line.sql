{# The level stands still while the product's own pace says that many units should have gone: a stuck sensor, or stock
   that only the record still has. Told once a standstill, on the day that reaches the limit. Fewer than five days are
   a quiet spell, even of a fast product. #}
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
