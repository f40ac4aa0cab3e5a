with

labels as (

    select * from {{ ref('stg_simulation__labels') }}

),

anomalies as (

    select * from {{ ref('int_anomalies') }}

),

-- An anomaly belongs to a label if it is of the same product, or of its whole category, on a day of the label or in the
-- three days after: some anomalies show only then. One of a whole store is about no single product.
final as (

    select
        labels.label_id,
        labels.store_location,
        labels.product_id,
        labels.category,
        labels.kind,
        labels.expected_detector,
        labels.started_at,
        anomalies.anomaly_id,
        anomalies.detector,
        anomalies.event_timestamp,
        greatest(
            date_diff('day', cast(labels.started_at as date), cast(anomalies.event_timestamp as date)), 0
        ) as delay_days
    from labels
    inner join anomalies
        on
            labels.store_location = anomalies.store_location
            -- a wrong note says nothing about the readings
            and (labels.expected_detector = 'text') = (anomalies.method = 'text')
            and coalesce(
                labels.product_id = anomalies.product_id, labels.category = anomalies.category,
                labels.product_id is null and anomalies.category is null
            )
            and cast(anomalies.event_timestamp as date) between cast(labels.started_at as date)
            and cast(labels.ended_at as date) + 3

)

select * from final
