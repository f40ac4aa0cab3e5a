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

-- What a rule and a model both find is one anomaly: the rule's, since it says what to do. States are other facts.
same_facts as (

    select
        models.anomaly_id,
        rules.anomaly_id as rule_anomaly_id,
        model_detectors.label
    from findings as models
    inner join detectors as model_detectors
        on
            models.detector = model_detectors.detector
            and model_detectors.method <> 'rule-based'
    inner join findings as rules
        on
            models.store_location = rules.store_location
            and models.product_id = rules.product_id
            and rules.kind in ('quantity', 'stock')
            and rules.event_timestamp between models.event_timestamp - interval '3 days'
            and models.event_timestamp + interval '3 days'
    inner join detectors as rule_detectors
        on
            rules.detector = rule_detectors.detector
            and rule_detectors.cooldown_days is not null
    qualify
        row_number() over (
            partition by models.anomaly_id
            order by
                abs(epoch_us(rules.event_timestamp) - epoch_us(models.event_timestamp)), rules.anomaly_id
        ) = 1

),

also_found as (

    select
        rule_anomaly_id as anomaly_id,
        string_agg(distinct label, ', ' order by label asc) as also_found_by
    from same_facts
    group by rule_anomaly_id

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
        also_found.also_found_by,
        -- a state has no cooldown: it holds until it clears
        detectors.cooldown_days is null as is_state
    from findings
    inner join detectors
        on findings.detector = detectors.detector
    left join also_found
        on findings.anomaly_id = also_found.anomaly_id
    anti join same_facts
        on findings.anomaly_id = same_facts.anomaly_id

)

select * from final
