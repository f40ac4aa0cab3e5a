{# More than any product costs, above or below zero, or many times what this one did: a barcode scanned into the price, or a
   decimal point lost. The last known price holds. #}
{% macro rule__price__absurd_price() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        reported_price as observed_value,
        abs(reported_price) / {{ var('accepted_price') }} as score,
        'more than any product costs. The last known price holds' as evidence
    from readings_for_rules
    where abs(reported_price) > {{ var('accepted_price') }}
    union all
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        reported_price as observed_value,
        observed_value as score,
        format(
            'where it usually cost up to {:,.2f} in the last 30 days. Unless that price stands for {{ var("accepted_after") }}, '
            'the last known one holds',
            cast(usual_price as double)
        ) as evidence
    from suspect_prices
{% endmacro %}


{% macro keep_reading__price__absurd_price() %}
    abs(reported_price) > {{ var('accepted_price') }}
{%- endmacro %}
