with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

stale_groups as (

    select
        anomalies.store_location,
        anomalies.category,
        anomalies.severity,
        anomalies.rule_id,
        max(anomalies.event_timestamp) as last_seen_at,
        count(*) as product_count,
        min(anomalies.observed_value) as hours_since_reading,
        sum(current_stock.stock_value) as value_at_risk
    from anomalies
    inner join current_stock
        on
            anomalies.store_location = current_stock.store_location
            and anomalies.product_id = current_stock.product_id
    where anomalies.rule_id = 'stale_feed'
    group by anomalies.store_location, anomalies.category, anomalies.severity, anomalies.rule_id

),

products as (

    select
        store_location,
        category,
        count(*) as product_count
    from current_stock
    group by store_location, category

),

-- some products of a category are always read late; a feed is quiet when most of them are
quiet_feeds as (

    select stale_groups.*
    from stale_groups
    inner join products
        on
            stale_groups.store_location = products.store_location
            and stale_groups.category = products.category
    where stale_groups.product_count * 2 > products.product_count

),

final as (

    select
        'pipeline' as type,
        severity,
        rule_id,
        store_location,
        category,
        'N/A' as product_id,
        format(
            'sent no reading of {} of its products for {:.0f} hours or more. What is shown for them is old. '
            || 'Check the scanner or the connection.',
            product_count, hours_since_reading
        ) as matter,
        last_seen_at as first_seen_at,
        last_seen_at,
        product_count as occurrence_count,
        coalesce(value_at_risk, 0) as value_at_risk
    from quiet_feeds

)

select * from final
