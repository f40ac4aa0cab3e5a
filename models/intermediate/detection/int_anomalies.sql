with

stock_anomalies as (

    select * from {{ ref('int_stock_anomalies') }}

),

quantity_anomalies as (

    select * from {{ ref('int_quantity_anomalies') }}

),

price_anomalies as (

    select * from {{ ref('int_price_anomalies') }}

),

feed_anomalies as (

    select * from {{ ref('int_feed_anomalies') }}

),

forecast_anomalies as (

    select * from {{ ref('int_forecast_anomalies') }}

),

panel_anomalies as (

    select * from {{ ref('int_panel_anomalies') }}

),

flow_anomalies as (

    select * from {{ ref('int_flow_anomalies') }}

),

detectors as (

    select * from {{ ref('int_detectors') }}

),

findings as (

    select * from stock_anomalies
    union all by name
    select * from quantity_anomalies
    union all by name
    select * from price_anomalies
    union all by name
    select * from feed_anomalies
    union all by name
    select * from forecast_anomalies
    union all by name
    select * from panel_anomalies
    union all by name
    select * from flow_anomalies

),

final as (

    select
        findings.anomaly_id,
        findings.detector,
        detectors.label as detector_label,
        -- the documented name of the column is a keyword
        detectors.method,  -- noqa: RF04
        findings.kind,
        detectors.severity,
        findings.store_location,
        findings.category,
        findings.product_id,
        findings.event_timestamp,
        findings.observed_value,
        findings.expected_value,
        detectors.threshold,
        detectors.threshold_unit,
        findings.score,
        findings.evidence,
        -- a state has no cooldown: it holds until it clears
        detectors.cooldown_days is null as is_state
    from findings
    inner join detectors
        on findings.detector = detectors.detector

)

select * from final
