{# An order of a product that should have come and has not: nobody knows when it does. The state begins when the first of them
   was due. #}
{% macro rule__stock__overdue_order() %}
    select
        order_lines.store_location,
        current_stock.category,
        order_lines.product_id,
        min(order_lines.expected_at) as event_timestamp,
        sum(order_lines.quantity_ordered) as observed_value,
        (epoch_us(as_of.as_of) - epoch_us(min(order_lines.expected_at))) / 86400e6 as score,
        coalesce('from ' || any_value(current_stock.supplier) || ' ', '')
        || 'on ' || strftime(min(order_lines.expected_at), '%-d %B') as evidence
    from order_lines
    cross join as_of
    inner join current_stock
        on
            order_lines.store_location = current_stock.store_location
            and order_lines.product_id = current_stock.product_id
    where order_lines.is_overdue
    group by order_lines.store_location, current_stock.category, order_lines.product_id, as_of.as_of
{% endmacro %}
