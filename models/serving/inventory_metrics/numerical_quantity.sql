with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

final as (

    select
        detector_label as model_name,
        kind as anomaly_type,
        store_location,
        category,
        format(
            '{}: {:.0f} units where about {:.0f} were expected (score {:.2f}, driven by {})',
            product_id, observed_value, expected_value, score, evidence
        ) as anomaly_description,
        event_timestamp + interval '1 day' as forecast_timestamp
    from anomalies
    where method = 'machine learning'

)

select * from final
