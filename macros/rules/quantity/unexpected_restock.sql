{# A receipt far beyond the largest among the last twenty readings, short of a jump. Levels alone do not show whether a
   receipt comes too early: that needs an order feed. #}
{% macro rule__quantity__unexpected_restock() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as observed_value,
        units_risen / greatest(largest_rise_before, 4) as score,
        format('{:,}', cast(units_risen as bigint)) as evidence
    from readings_for_rules
    where
        rises_before >= 2
        and times_highest_before < {{ rule_threshold('quantity_jump') }}
{% endmacro %}


{% macro keep_reading__quantity__unexpected_restock() %}
    units_risen > greatest(largest_rise_before, 4)
{%- endmacro %}
