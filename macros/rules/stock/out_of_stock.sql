{# An empty shelf of a product that sells, from the time it became empty. A product without a unit out in four weeks is
   not missed. #}
{% macro rule__stock__out_of_stock() %}
    select
        current_stock.store_location,
        current_stock.category,
        current_stock.product_id,
        product_history.emptied_at as event_timestamp,
        current_stock.quantity as observed_value,
        (epoch_us(as_of.as_of) - epoch_us(product_history.emptied_at)) / 86400e6 as score,
        null as evidence
    from current_stock
    cross join as_of
    inner join product_history
        on
            current_stock.store_location = product_history.store_location
            and current_stock.product_id = product_history.product_id
    where
        current_stock.status = 'out of stock'
        and current_stock.daily_units_out > 0
{% endmacro %}
