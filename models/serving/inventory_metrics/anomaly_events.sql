with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

final as (

    select
        anomaly_id,
        detector as rule_id,
        severity,
        observed_value as reading_value,
        score as observed_value,
        threshold as limit_value,
        description,
        is_state,
        event_timestamp,
        cast(event_timestamp as date) as event_date,
        -- the column is named as in anomalies
        case when method = 'machine learning' then lower(detector_label) else method end as method,  -- noqa: RF04
        coalesce(store_location, 'N/A') as store_location,
        coalesce(category, 'N/A') as category,
        coalesce(product_id, 'N/A') as product_id
    from anomalies
    -- a forecast has not happened yet
    where kind <> 'forecast'

)

select * from final
