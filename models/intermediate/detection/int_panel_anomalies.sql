with

detections as (

    select * from {{ ref('int_panel_detections') }}

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
        cast(detections.method as varchar) as detector,
        cast(detections.kind as varchar) as kind,
        products.store_location,
        products.category,
        products.product_id,
        cast(detections.ds as timestamp) as event_timestamp,
        cast(detections.observed as double) as observed_value,
        cast(detections.expected as double) as expected_value,
        cast(detections.score as double) as score,
        cast(detections.driver as varchar) as evidence,
        -- a day, and no category: the product may move to another one
        {{ row_digest([
            'detections.method', 'products.store_location', 'products.product_id', 'cast(detections.ds as date)'
        ]) }} as anomaly_id
    from detections
    inner join products
        on detections.unique_id = {{ series_id('products.store_location', 'products.product_id') }}
    where detections.alert

)

select * from final
