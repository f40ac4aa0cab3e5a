{# The published forecast falls far below the stock on the day that it was made. Its lowest day gives the date. #}
{% macro rule__forecast__forecast_drop() %}
    select
        daily_stock.store_location,
        daily_stock.category,
        cast(null as varchar) as product_id,
        cast(lowest_forecasts.cutoff_date as timestamp) as event_timestamp,
        daily_stock.total_quantity as observed_value,
        lowest_forecasts.lowest_quantity as expected_value,
        1 - lowest_forecasts.lowest_quantity / daily_stock.total_quantity as score,
        lowest_forecasts.lowest_date as evidence
    from lowest_forecasts
    inner join daily_stock
        on
            lowest_forecasts.store_location = daily_stock.store_location
            and lowest_forecasts.category = daily_stock.category
            and lowest_forecasts.cutoff_date = daily_stock.event_date
    where lowest_forecasts.lowest_quantity < daily_stock.total_quantity * (1 - {{ rule_threshold('forecast_drop') }})
{% endmacro %}
