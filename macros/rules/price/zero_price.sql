{# Given away at the till, and worth nothing in the stock value. #}
{% macro rule__price__zero_price() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        reported_price as observed_value,
        reported_price as score,
        null as evidence
    from readings_for_rules
    where reported_price = 0
{% endmacro %}


{% macro keep_reading__price__zero_price() %}
    reported_price = 0
{%- endmacro %}
