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
        case anomalies.method
            when 'rule-based'
                then format(
                    '{} · {}: {} {}, limit {} (rule {})',
                    coalesce(
                        anomalies.product_id,
                        case when anomalies.store_location is not null then 'All products' end,
                        'All stores'
                    ),
                    anomalies.detector_label,
                    {{ three_digits('anomalies.score') }},
                    anomalies.threshold_unit,
                    {{ three_digits('anomalies.threshold') }},
                    anomalies.detector
                )
            when 'text' then anomalies.product_id || ' · note ' || anomalies.evidence
            else
                coalesce(anomalies.product_id, anomalies.category, 'All products') || ' · ' || anomalies.detector_label
                || ': ' || concat_ws(' ', format('{:,.0f} units', anomalies.observed_value), anomalies.evidence)
        end || coalesce('; also found by: ' || also_found.also_found_by, '') as description
    from anomalies
    left join also_found
        on anomalies.anomaly_id = also_found.anomaly_id

)

select * from final
