with

outliers as (

    select * from {{ ref('fct_quantity_outliers') }}

),

forecasts as (

    select * from {{ ref('fct_forecasts') }}

),

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

outlier_notices as (

    select
        'numerical' as type,
        'medium' as severity,
        'isolation_forest' as rule_id,
        outliers.store_location,
        outliers.category,
        outliers.product_id,
        format(
            'looks unlike itself ({}): {:.0f} units where about {:.0f} were expected. '
            || 'Count the shelf; if the count is right, nothing needs doing.',
            replace(arg_max(outliers.anomaly_type, outliers.event_date), '_', ' '),
            arg_max(outliers.observed_quantity, outliers.event_date),
            greatest(arg_max(outliers.expected_quantity, outliers.event_date), 0)
        ) as matter,
        cast(min(outliers.event_date) as timestamp) as first_seen_at,
        cast(max(outliers.event_date) as timestamp) as last_seen_at,
        count(*) as occurrence_count,
        coalesce(max(current_stock.stock_value), 0) as value_at_risk
    from outliers
    left join current_stock
        on
            outliers.store_location = current_stock.store_location
            and outliers.product_id = current_stock.product_id
    group by
        outliers.store_location, outliers.category, outliers.product_id,
        date_trunc('week', outliers.event_date)

),

group_stock as (

    select
        store_location,
        category,
        sum(quantity) as quantity,
        sum(stock_value) as stock_value
    from current_stock
    group by store_location, category

),

newest_forecasts as (

    select *
    from forecasts
    where
        model_name = 'Ensemble'
        and cutoff_date = (select max(newest.cutoff_date) from forecasts as newest)

),

lowest_forecasts as (

    select
        store_location,
        category,
        cutoff_date,
        min(predicted_quantity) as lowest_quantity,
        arg_min(event_date, predicted_quantity) as lowest_date
    from newest_forecasts
    group by store_location, category, cutoff_date

),

forecast_notices as (

    select
        'forecast' as type,
        'medium' as severity,
        'stock_halves' as rule_id,
        group_stock.store_location,
        group_stock.category,
        'N/A' as product_id,
        format(
            'stock is expected to fall from {} to {:.0f} units by {}. Check that deliveries are on order.',
            group_stock.quantity, lowest_forecasts.lowest_quantity, lowest_forecasts.lowest_date
        ) as matter,
        cast(lowest_forecasts.cutoff_date as timestamp) as first_seen_at,
        cast(lowest_forecasts.cutoff_date as timestamp) as last_seen_at,
        cast(1 as bigint) as occurrence_count,
        cast(
            group_stock.stock_value * (1 - lowest_forecasts.lowest_quantity / group_stock.quantity) as double
        ) as value_at_risk
    from lowest_forecasts
    inner join group_stock
        on
            lowest_forecasts.store_location = group_stock.store_location
            and lowest_forecasts.category = group_stock.category
    where lowest_forecasts.lowest_quantity < group_stock.quantity / 2

),

final as (

    select * from outlier_notices
    union all
    select * from forecast_notices

)

select * from final
