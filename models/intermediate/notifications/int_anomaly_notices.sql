with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

single_matters as (

    select
        rule_id,
        store_location,
        category,
        product_id,
        reading_value,
        observed_value,
        evidence,
        event_timestamp,
        null as value_at_risk
    from anomalies
    where rule_id <> 'stale_product'

),

-- one matter a store: a scanner or a line that is down is one, however many products it silences
silent_products as (

    select
        anomalies.rule_id,
        anomalies.store_location,
        cast(null as varchar) as category,
        cast(null as varchar) as product_id,
        count(*) as reading_value,
        min(anomalies.reading_value) as observed_value,
        string_agg(distinct anomalies.category, ', ' order by anomalies.category asc) as evidence,
        min(anomalies.event_timestamp) as event_timestamp,
        {{ exact_sum('current_stock.stock_value') }} as value_at_risk
    from anomalies
    inner join current_stock
        on
            anomalies.store_location = current_stock.store_location
            and anomalies.product_id = current_stock.product_id
    where anomalies.rule_id = 'stale_product'
    group by anomalies.rule_id, anomalies.store_location

),

matters as (

    select * from single_matters
    union all
    select * from silent_products

),

final as (

    select
        rules.notification_type as notification_type,
        rules.severity,
        matters.rule_id,
        matters.store_location,
        matters.category,
        matters.product_id,
        matters.event_timestamp as seen_at,
        {{ message_text('rules.message', 'matters', 'current_stock') }} as matter,
        coalesce(
            matters.value_at_risk,
            case when rules.notification_type = 'stock' then nullif(current_stock.value_at_risk, 0) end,
            current_stock.stock_value
        ) as value_at_risk
    from matters
    inner join rules
        on matters.rule_id = rules.rule_id
    left join current_stock
        on
            matters.store_location = current_stock.store_location
            and matters.product_id = current_stock.product_id

)

select * from final
