{# A level that shot up and came straight back was never on the shelf. It is told from the reading after it. #}
{% macro rule__quantity__returned_spike() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as reading_value,
        quantity / greatest(level_before, next_level) as observed_value,
        null as evidence
    from reading_history
    where is_suspect
{% endmacro %}


{% macro reading_stands_out__quantity__returned_spike() %}
    is_suspect
{%- endmacro %}
