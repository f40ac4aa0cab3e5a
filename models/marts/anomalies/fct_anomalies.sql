{{ config(materialized='view') }}

with

anomalies as (

    select * from {{ ref('int_anomalies') }}

),

detectors as (

    select * from {{ ref('int_detectors') }}

),

also_found as (

    select
        found.anomaly_id,
        string_agg(detectors.label, ', ' order by detectors.label) as also_found_by
    from (
        select
            anomaly_id,
            unnest(also_found_by) as detector
        from anomalies
    ) as found
    inner join detectors
        on found.detector = detectors.detector
    group by found.anomaly_id

),

final as (

    select
        anomalies.anomaly_id,
        anomalies.detector,
        anomalies.detector_label,
        -- the documented name of the column is a keyword
        anomalies.method,  -- noqa: RF04
        anomalies.kind,
        anomalies.severity,
        anomalies.store_location,
        anomalies.category,
        anomalies.product_id,
        anomalies.event_timestamp,
        anomalies.observed_value,
        anomalies.expected_value,
        anomalies.threshold,
        anomalies.score,
        anomalies.evidence,
        also_found.also_found_by,
        anomalies.is_state,
        format(
            '{} ({}{})',
            concat_ws(
                ' ',
                coalesce(anomalies.product_label, anomalies.category, anomalies.store_location),
                anomalies.finding
            ),
            case
                when anomalies.method = 'rule-based' then 'rule ' || anomalies.detector
                else anomalies.detector_label
            end,
            coalesce('; also found by: ' || also_found.also_found_by, '')
        ) as description
    from anomalies
    left join also_found
        on anomalies.anomaly_id = also_found.anomaly_id

)

select * from final
