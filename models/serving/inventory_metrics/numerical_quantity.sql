with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

final as (

    select
        detector_label as model_name,
        kind as anomaly_type,
        store_location,
        coalesce(category, 'N/A') as category,
        coalesce(product_id, category, 'All products')
        || ': ' || format('{:,.0f} units out {}', observed_value, evidence) as anomaly_description,
        event_timestamp + interval '1 day' as forecast_timestamp
    from anomalies
    where method = 'machine learning'

)

select * from final
