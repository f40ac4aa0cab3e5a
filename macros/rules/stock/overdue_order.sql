{# An order of a product that should have come and has not: nobody knows when it does. The state begins when the first of them
   was due. #}
{% macro rule__stock__overdue_order() %}
    select
        open_orders.store_location,
        current_stock.category,
        open_orders.product_id,
        min(open_orders.expected_at) as event_timestamp,
        sum(open_orders.quantity_ordered) as observed_value,
        (epoch_us(as_of.as_of) - epoch_us(min(open_orders.expected_at))) / 86400e6 as score,
        coalesce('from ' || any_value(current_stock.supplier) || ' ', '')
        || 'on ' || strftime(min(open_orders.expected_at), '%-d %B') as evidence
    from open_orders
    cross join as_of
    inner join current_stock
        on
            open_orders.store_location = current_stock.store_location
            and open_orders.product_id = current_stock.product_id
    where open_orders.is_overdue
    group by open_orders.store_location, current_stock.category, open_orders.product_id, as_of.as_of
{% endmacro %}
