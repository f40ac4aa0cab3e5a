{# Several times the level that policy orders up to, which is at least four units. The state begins with the last units
   that came in. #}
{% macro rule__stock__excess_stock() %}
    select
        current_stock.store_location,
        current_stock.category,
        current_stock.product_id,
        coalesce(product_history.last_in_at, product_history.first_reading_at) as event_timestamp,
        current_stock.quantity as observed_value,
        current_stock.quantity / greatest(current_stock.order_up_to_level, 4) as score,
        null as evidence
    from current_stock
    inner join product_history
        on
            current_stock.store_location = product_history.store_location
            and current_stock.product_id = product_history.product_id
    where
        current_stock.order_up_to_level > 0
        and current_stock.movement <> 'dead'
{% endmacro %}
