{# A category that is no product's usual one: a typing error, or a new one with only a few readings so far. A new product
   in a new category raises nothing, since it may be a new line of goods. #}
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
