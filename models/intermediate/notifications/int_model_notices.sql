with

outliers as (

    select * from {{ ref('fct_quantity_outliers') }}

),

forecasts as (

    select * from {{ ref('int_published_forecasts') }}

),

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

daily_stock as (

    select * from {{ ref('int_daily_stock') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

outlier_notices as (

    select
        rules.notification_type as notification_type,
        rules.severity,
        rules.rule_id,
        outliers.store_location,
        outliers.category,
        outliers.product_id,
        cast(outliers.event_date as timestamp) as seen_at,
        format(
            'looks unlike itself ({}): {:,.0f} units where about {:,.0f} were expected. '
            || 'Count the shelf; if the count is right, nothing needs doing.',
            replace(outliers.anomaly_type, '_', ' '),
            outliers.observed_quantity,
            greatest(outliers.expected_quantity, 0)
        ) as matter,
        current_stock.stock_value as value_at_risk
    from outliers
    inner join rules
        on rules.rule_id = 'isolation_forest'
    left join current_stock
        on
            outliers.store_location = current_stock.store_location
            and outliers.product_id = current_stock.product_id

),

lowest_forecasts as (

    select
        store_location,
        category,
        cutoff_date,
        min(predicted_quantity) as lowest_quantity,
        arg_min(event_date, predicted_quantity) as lowest_date
    from forecasts
    where model_name = 'Ensemble'
    group by store_location, category, cutoff_date

),

-- each forecast is held against the stock on the day that it was made
forecast_notices as (

    select
        rules.notification_type as notification_type,
        rules.severity,
        rules.rule_id,
        daily_stock.store_location,
        daily_stock.category,
        cast(null as varchar) as product_id,
        cast(lowest_forecasts.cutoff_date as timestamp) as seen_at,
        format(
            'stock is expected to fall from {:,} to {:,.0f} units by {}. Check that deliveries are on order.',
            daily_stock.total_quantity, lowest_forecasts.lowest_quantity, lowest_forecasts.lowest_date
        ) as matter,
        daily_stock.total_stock_value
        * (1 - lowest_forecasts.lowest_quantity / daily_stock.total_quantity) as value_at_risk
    from lowest_forecasts
    inner join rules
        on rules.rule_id = 'forecast_drop'
    inner join daily_stock
        on
            lowest_forecasts.store_location = daily_stock.store_location
            and lowest_forecasts.category = daily_stock.category
            and lowest_forecasts.cutoff_date = daily_stock.event_date
    where lowest_forecasts.lowest_quantity < daily_stock.total_quantity * rules.threshold

),

final as (

    select * from outlier_notices
    union all by name
    select * from forecast_notices

)

select * from final
