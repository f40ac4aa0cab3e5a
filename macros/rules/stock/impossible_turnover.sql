{# A shelf that is emptied and filled several times a day: levels counted twice, or pieces and cases mixed. #}
{% macro rule__stock__impossible_turnover() %}
    select
        current_stock.store_location,
        current_stock.category,
        current_stock.product_id,
        product_history.last_out_at as event_timestamp,
        product_windows.units_out as observed_value,
        product_windows.units_out / nullif(product_windows.average_quantity, 0) as score,
        null as evidence
    from product_windows
    inner join current_stock
        on
            product_windows.store_location = current_stock.store_location
            and product_windows.product_id = current_stock.product_id
    inner join product_history
        on
            product_windows.store_location = product_history.store_location
            and product_windows.product_id = product_history.product_id
    where
        product_windows.window_name = 'turnover'
        and product_windows.units_out > 0
{% endmacro %}
