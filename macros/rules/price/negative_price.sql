{# A price below zero: a refund, or a wrong sign. #}
{% macro rule__price__negative_price() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        reported_price as observed_value,
        -reported_price as score,
        null as evidence
    from readings_for_rules
    where
        reported_price < 0
        and reported_price >= -{{ var('accepted_price') }}
{% endmacro %}


{% macro keep_reading__price__negative_price() %}
    reported_price < 0
{%- endmacro %}
