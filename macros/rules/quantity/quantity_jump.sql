{# A restock fills the shelf to where it has been before; many times the highest of the last twenty levels does not. #}
{% macro rule__quantity__quantity_jump() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as observed_value,
        times_highest_before as score,
        null as evidence
    from readings_for_rules
    where times_highest_before is not null
{% endmacro %}


{% macro keep_reading__quantity__quantity_jump() %}
    times_highest_before > 1
{%- endmacro %}
