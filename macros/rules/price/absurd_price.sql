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
    from reading_history
    where abs(reported_price) > {{ var('accepted_price') }}
{% endmacro %}


{% macro reading_stands_out__price__absurd_price() %}
    abs(reported_price) > {{ var('accepted_price') }}
{%- endmacro %}
