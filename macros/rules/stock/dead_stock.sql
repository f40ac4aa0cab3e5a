{# On hand, and nothing out for a quarter. The state begins on the day that completes the quarter. #}
{% macro rule__stock__dead_stock() %}
    select
        current_stock.store_location,
        current_stock.category,
        current_stock.product_id,
        coalesce(product_history.last_out_at, product_history.first_reading_at)
        + to_days(cast({{ rule_threshold('dead_stock') }} as integer)) as event_timestamp,
        current_stock.quantity as observed_value,
        current_stock.days_without_out as score,
        null as evidence
    from current_stock
    inner join product_history
        on
            current_stock.store_location = product_history.store_location
            and current_stock.product_id = product_history.product_id
    where current_stock.quantity > 0
{% endmacro %}
