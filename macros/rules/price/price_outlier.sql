{# Beyond all of the product's last twenty prices, above or below: a lost decimal point, or another product's price. At
   least ten prices are needed to know how far it usually swings. #}
{% macro rule__price__price_outlier() %}
    select
        store_location,
        category,
        product_id,
        event_timestamp,
        reported_price as observed_value,
        greatest(reported_price / highest_price_before, lowest_price_before / reported_price) as score,
        null as evidence
    from readings_for_rules
    where
        reported_price > 0
        and reported_price = price
        and prices_before >= 10
{% endmacro %}


{% macro keep_reading__price__price_outlier() %}
    reported_price > highest_price_before
    or reported_price < lowest_price_before
{%- endmacro %}
