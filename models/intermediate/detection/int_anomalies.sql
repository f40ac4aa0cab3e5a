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

text_anomalies as (

    select * from {{ ref('int_text_anomalies') }}

),

detectors as (

    select * from {{ ref('int_detectors') }}

),

current_stock as (

    select * from {{ ref('int_current_stock') }}

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
    union all by name
    select * from text_anomalies

),

-- What several find is one anomaly: a rule's, since it says what to do, else that of machine learning. States are other
-- facts, and so is what a text says.
same_facts as (

    select
        found.anomaly_id,
        kept.anomaly_id as kept_anomaly_id,
        found_detectors.label
    from findings as found
    inner join detectors as found_detectors
        on
            found.detector = found_detectors.detector
            and found_detectors.method in ('statistical', 'machine learning')
    inner join findings as kept
        on
            found.store_location = kept.store_location
            and found.category = kept.category
            and found.product_id is not distinct from kept.product_id
            and kept.event_timestamp between found.event_timestamp - interval '3 days'
            and found.event_timestamp + interval '3 days'
    inner join detectors as kept_detectors
        on
            kept.detector = kept_detectors.detector
            and kept_detectors.cooldown_days is not null
            and (
                kept.kind in ('quantity', 'stock')
                or (kept_detectors.method = 'machine learning' and found_detectors.method = 'statistical')
            )
    qualify
        row_number() over (
            partition by found.anomaly_id
            order by
                kept_detectors.method = 'rule-based' desc,
                abs(epoch_us(kept.event_timestamp) - epoch_us(found.event_timestamp)),
                kept.anomaly_id
        ) = 1

),

also_found as (

    select
        kept_anomaly_id as anomaly_id,
        string_agg(distinct label, ', ' order by label asc) as also_found_by
    from same_facts
    group by kept_anomaly_id

),

store_values as (

    select
        store_location,
        {{ exact_sum('stock_value') }} as stock_value
    from current_stock
    group by store_location

),

final as (

    select
        findings.anomaly_id,
        findings.detector,
        detectors.label as detector_label,
        -- the documented name of the column is a keyword
        detectors.method,  -- noqa: RF04
        findings.kind,
        -- a rule knows what its kind is worth; what a model finds is worth what it is off by
        case
            when findings.value_off is null then detectors.severity
            when findings.value_off >= {{ var('severe_share') }} * store_values.stock_value then 'high'
            when findings.value_off >= {{ var('severe_share') }} / 10 * store_values.stock_value then 'medium'
            else 'info'
        end as severity,
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
    left join store_values
        on findings.store_location = store_values.store_location
    left join also_found
        on findings.anomaly_id = also_found.anomaly_id
    anti join same_facts
        on findings.anomaly_id = same_facts.anomaly_id

)

select * from final
