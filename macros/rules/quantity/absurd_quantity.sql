{# More than any shelf holds, above or below zero, or many times what this one did: a barcode scanned into the quantity, a
   digit typed twice, or a number that overflowed. #}
{% macro rule__quantity__absurd_quantity() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as observed_value,
        observed_value as score,
        case
            when usual_level is null
                then 'more than any shelf holds. The reading is left out of all figures'
            else
                format(
                    'where it usually held up to {:,} in the last 30 days. '
                    'Unless that level stands for {{ var("accepted_after") }}, the reading is left out of all figures',
                    cast(usual_level as bigint)
                )
        end as evidence
    from suspect_readings
    where reason = 'out of range'
{% endmacro %}
