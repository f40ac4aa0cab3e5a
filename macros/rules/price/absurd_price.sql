{# More than any product costs, above or below zero: a barcode scanned into the price. The last known price holds. #}
{% macro rule__price__absurd_price() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        reported_price as reading_value,
        abs(reported_price) / {{ var('accepted_price') }} as observed_value,
        null as evidence
    from readings_for_rules
    where abs(reported_price) > {{ var('accepted_price') }}
{% endmacro %}


{% macro keep_reading__price__absurd_price() %}
    abs(reported_price) > {{ var('accepted_price') }}
{%- endmacro %}
