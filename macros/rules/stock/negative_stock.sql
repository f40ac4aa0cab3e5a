{# A level below zero: a wrong booking. #}
{% macro rule__stock__negative_stock() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as observed_value,
        -quantity as score,
        null as evidence
    from readings_for_rules
    where quantity < 0
{% endmacro %}


{% macro keep_reading__stock__negative_stock() %}
    quantity < 0
{%- endmacro %}
