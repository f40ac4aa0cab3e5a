with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

final as (

    select
        rules.channel as notification_type,
        anomalies.severity,
        anomalies.rule_id,
        anomalies.store_location,
        anomalies.category,
        anomalies.product_id,
        anomalies.event_timestamp as seen_at,
        case anomalies.rule_id
            when 'negative_stock'
                then format(
                    'was read as {:.0f} units. Stock cannot be below zero, so orders rest on a wrong level. '
                    || 'Count the shelf and correct the record.',
                    anomalies.reading_value
                )
            when 'quantity_jump'
                then format(
                    'jumped to {:.0f} units, more than {:.0f} times anything in its last 20 readings. '
                    || 'If no such delivery came, correct the record, or it will not be reordered.',
                    anomalies.reading_value, anomalies.limit_value
                )
            when 'returned_spike'
                then format(
                    'was read as {:.0f} units and came straight back. The reading is left out of all figures. '
                    || 'Check the scanner or the unit (pieces or cases).',
                    anomalies.reading_value
                )
            when 'zero_price'
                then format(
                    'has a price of {:.2f}. Tills may give it away and its stock value is wrong. Correct the price.',
                    anomalies.reading_value
                )
            when 'price_outlier'
                then format(
                    'has a price of {:.2f}, over {:.0f} times beyond its last 20. '
                    || 'Check the price label and the price file.',
                    anomalies.reading_value, anomalies.limit_value
                )
            when 'conflicting_reading'
                then format(
                    'has {:.0f} different readings for one moment; the later one is used. '
                    || 'Check whether two devices report this product.',
                    anomalies.reading_value
                )
        end as matter,
        coalesce(current_stock.stock_value, 0) as value_at_risk
    from anomalies
    inner join rules
        on anomalies.rule_id = rules.rule_id
    left join current_stock
        on
            anomalies.store_location = current_stock.store_location
            and anomalies.product_id = current_stock.product_id
    -- a quiet feed is one matter for the whole store, see int_feed_notices
    where anomalies.rule_id <> 'stale_feed'

)

select * from final
