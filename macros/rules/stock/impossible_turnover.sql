{# A shelf that is emptied and filled several times a day: levels counted twice, or pieces and cases mixed. #}
{% macro rule__stock__impossible_turnover() %}
    select
        product_performance.store_location,
        product_performance.category,
        product_performance.product_id,
        product_history.last_out_at as event_timestamp,
        product_performance.turnover_units_out as reading_value,
        product_performance.turnover_rate as observed_value,
        null as evidence
    from product_performance
    inner join product_history
        on
            product_performance.store_location = product_history.store_location
            and product_performance.product_id = product_history.product_id
    where product_performance.turnover_units_out > 0
{% endmacro %}
