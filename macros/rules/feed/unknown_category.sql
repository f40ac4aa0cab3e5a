{# A category that is no product's usual one: a typing error, or a new one that only a few readings know as yet. A new
   product in a new category cannot be told from a new line of goods. #}
{% macro rule__feed__unknown_category() %}
    select
        store_location,
        category,
        product_id,
        last_reading_at as event_timestamp,
        reading_count as observed_value,
        reading_count as score,
        usual_category as evidence
    from product_categories
    where not is_known
{% endmacro %}
