with

outliers as (

    select * from {{ ref('int_quantity_outliers') }}

),

levels as (

    select * from {{ ref('int_stock_levels') }}

),

products as (

    select
        store_location,
        product_id,
        category
    from levels
    where next_reading_at is null and not is_suspect

),

final as (

    select
        'Isolation Forest' as model_name,
        cast(outliers.kind as varchar) as anomaly_type,
        products.store_location,
        products.category,
        products.product_id,
        cast(outliers.ds as date) as event_date,
        cast(outliers.observed as double) as observed_quantity,
        cast(outliers.expected as double) as expected_quantity,
        cast(outliers.score as double) as score,
        cast(outliers.driver as varchar) as driver
    from outliers
    inner join products
        on outliers.unique_id = {{ series_id('products.store_location', 'products.product_id') }}
    where outliers.alert

)

select * from final
