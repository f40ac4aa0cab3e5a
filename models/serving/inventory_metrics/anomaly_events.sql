with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

outliers as (

    select * from {{ ref('fct_quantity_outliers') }}

),

final as (

    select
        strftime(event_timestamp, '%Y-%m-%d %H:%M:%S') as event_timestamp,
        strftime(event_timestamp, '%Y-%m-%d') as event_date,
        store_location,
        category,
        product_id,
        rule_id,
        method,
        severity,
        description
    from anomalies

    union all

    select
        strftime(event_date, '%Y-%m-%d %H:%M:%S') as event_timestamp,
        strftime(event_date, '%Y-%m-%d') as event_date,
        store_location,
        category,
        product_id,
        'isolation_forest' as rule_id,
        'isolation forest' as method,
        'medium' as severity,
        product_id || ' · ' || replace(anomaly_type, '_', ' ') as description
    from outliers

)

select * from final
