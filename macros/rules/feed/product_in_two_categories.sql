{# A product that is read in a category other than its usual one over all stores. After a change of category, readings
   of the old one are flagged as soon as most readings have the new one. #}
{% macro rule__feed__product_in_two_categories() %}
    select
        store_location,
        category,
        product_id,
        last_reading_at as event_timestamp,
        reading_count as observed_value,
        reading_count as score,
        usual_category as evidence
    from product_categories
    where
        is_known
        and category <> usual_category
{% endmacro %}
