{# A fall far beyond the largest of the last twenty readings: theft, breakage, a transfer nobody booked, or a miscount.
   A return from a jump is not a drop, and half a dozen units in one reading are a customer. #}
{% macro rule__quantity__quantity_drop() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as observed_value,
        units_fallen / greatest(largest_fall_before, 4) as score,
        format('{:,}', cast(units_fallen as bigint)) as evidence
    from readings_for_rules
    where
        units_fallen > 0
        and quantities_before >= 10
        and not exists (
            select 1
            from readings_for_rules as jumps
            where
                jumps.store_location = readings_for_rules.store_location
                and jumps.product_id = readings_for_rules.product_id
                and jumps.event_timestamp = readings_for_rules.previous_reading_at
                and jumps.times_highest_before >= {{ rule_threshold('quantity_jump') }}
        )
{% endmacro %}


{% macro keep_reading__quantity__quantity_drop() %}
    units_fallen > greatest(largest_fall_before, 4)
{%- endmacro %}
