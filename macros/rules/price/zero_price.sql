{# A price of zero: the till gives the product away, and its stock value is zero. #}
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
