with

anomalies as (

    select * from {{ ref('int_anomalies') }}

),

detectors as (

    select * from {{ ref('int_detectors') }}

),

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

daily_stock as (

    select * from {{ ref('int_daily_stock') }}

),

single_anomalies as (

    select
        detector,
        kind,
        severity,
        store_location,
        category,
        product_id,
        event_timestamp,
        observed_value,
        expected_value,
        score,
        evidence,
        null as value_at_risk
    from anomalies
    where detector <> 'stale_product'

),

-- one notification per store: a broken scanner or line is one fault, however many products it silences
silent_products as (

    select
        anomalies.detector,
        anomalies.kind,
        anomalies.severity,
        anomalies.store_location,
        cast(null as varchar) as category,
        cast(null as varchar) as product_id,
        min(anomalies.event_timestamp) as event_timestamp,
        count(*) as observed_value,
        min(anomalies.observed_value) as score,
        string_agg(distinct anomalies.category, ', ' order by anomalies.category asc) as evidence,
        {{ exact_sum('current_stock.stock_value') }} as value_at_risk
    from anomalies
    inner join current_stock
        on
            anomalies.store_location = current_stock.store_location
            and anomalies.product_id = current_stock.product_id
    where anomalies.detector = 'stale_product'
    group by anomalies.detector, anomalies.kind, anomalies.severity, anomalies.store_location

),

notified as (

    select * from single_anomalies
    union all by name
    select * from silent_products

),

final as (

    select
        detectors.notification_type,
        detectors.cooldown_days,
        notified.severity,
        notified.detector,
        notified.store_location,
        notified.category,
        notified.product_id,
        notified.event_timestamp as seen_at,
        {{ message_text('detectors.message', 'notified', 'current_stock') }} as message,
        coalesce(
            notified.value_at_risk,
            case when detectors.notification_type = 'stock' then nullif(current_stock.value_at_risk, 0) end,
            current_stock.stock_value,
            -- a forecast's score is a share of the stock on the day that it was made
            daily_stock.total_stock_value * notified.score
        ) as value_at_risk
    from notified
    inner join detectors
        on notified.detector = detectors.detector
    left join current_stock
        on
            notified.store_location = current_stock.store_location
            and notified.product_id = current_stock.product_id
    left join daily_stock
        on
            detectors.notification_type = 'forecast'
            and notified.store_location = daily_stock.store_location
            and notified.category = daily_stock.category
            and cast(notified.event_timestamp as date) = daily_stock.event_date

)

select * from final
