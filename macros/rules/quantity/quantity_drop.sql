{# A fall far beyond the largest of the last twenty readings: theft, breakage, a transfer nobody booked, or a miscount.
   What falls back from a jump is no fall, and half a dozen units in one reading are a customer. #}
{% macro rule__quantity__quantity_drop() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as reading_value,
        units_fallen / greatest(largest_fall_before, 4) as observed_value,
        format('{:,}', cast(units_fallen as bigint)) as evidence
    from reading_history
    where
        units_fallen > 0
        and quantities_before >= 10
        and not exists (
            select 1
            from reading_history as jumps
            where
                jumps.store_location = reading_history.store_location
                and jumps.product_id = reading_history.product_id
                and jumps.event_timestamp = reading_history.previous_reading_at
                and jumps.times_highest_before >= {{ rule_limit('quantity_jump') }}
        )
{% endmacro %}


{% macro reading_stands_out__quantity__quantity_drop() %}
    units_fallen > greatest(largest_fall_before, 4)
{%- endmacro %}
