with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

outliers as (

    select * from {{ ref('fct_quantity_outliers') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

rule_findings as (

    select
        anomaly_id,
        store_location,
        category,
        product_id,
        rule_id,
        method,
        severity,
        reading_value,
        observed_value,
        threshold as limit_value,
        description,
        is_state,
        event_timestamp
    from anomalies

),

model_findings as (

    select
        outliers.store_location,
        outliers.category,
        outliers.product_id,
        rules.rule_id,
        -- the column is named as in anomalies
        'isolation forest' as method,  -- noqa: RF04
        rules.severity,
        outliers.observed_quantity as reading_value,
        outliers.score as observed_value,
        cast(null as double) as limit_value,
        false as is_state,
        outliers.product_id || ' · ' || replace(outliers.anomaly_type, '_', ' ') as description,
        {{ row_digest([
            'rules.rule_id', 'outliers.store_location', 'outliers.product_id', 'outliers.event_date'
        ]) }} as anomaly_id,
        cast(outliers.event_date as timestamp) as event_timestamp
    from outliers
    inner join rules
        on rules.rule_id = 'isolation_forest'

),

findings as (

    select * from rule_findings
    union all by name
    select * from model_findings

),

final as (

    select
        anomaly_id,
        rule_id,
        method,
        severity,
        reading_value,
        observed_value,
        limit_value,
        description,
        is_state,
        event_timestamp,
        cast(event_timestamp as date) as event_date,
        coalesce(store_location, 'N/A') as store_location,
        coalesce(category, 'N/A') as category,
        coalesce(product_id, 'N/A') as product_id
    from findings

)

select * from final
