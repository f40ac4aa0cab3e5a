with

anomalies as (

    select * from {{ ref('int_anomalies') }}

),

root_causes as (

    select * from {{ ref('int_root_causes') }}

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

-- of a unit that goes out, in a category and in the whole store
mean_prices as (

    select
        store_location,
        category,
        {{ exact_sum('daily_units_out * price') }} / nullif({{ exact_sum('daily_units_out') }}, 0) as price
    from current_stock
    where price is not null
    group by rollup(store_location, category)

),

store_values as (

    select
        store_location,
        {{ exact_sum('stock_value') }} as stock_value
    from current_stock
    group by store_location

),

valued as (

    select
        anomalies.*,
        root_causes.cause,
        root_causes.cause_id,
        root_causes.reason,
        root_causes.is_covered_by_region,
        root_causes.region,
        detectors.notification_type,
        detectors.cooldown_days,
        current_stock.quantity,
        current_stock.daily_units_out,
        current_stock.lead_time_days,
        current_stock.suggested_order,
        current_stock.next_delivery_at,
        store_values.stock_value as store_value,
        {{ message_text('detectors.message', 'anomalies', 'current_stock') }} as message,
        coalesce(current_stock.category, anomalies.category) as current_category,
        case
            -- a forecast's score is a share of the stock on the day that it was made
            when detectors.notification_type = 'forecast' then daily_stock.total_stock_value * anomalies.score
            when anomalies.method in ('statistical', 'machine learning')
                then
                    abs(anomalies.observed_value - anomalies.expected_value)
                    * coalesce(nullif(current_stock.price, 0), mean_prices.price)
            when anomalies.detector in ('stale_store', 'missing_store') then store_values.stock_value
            when anomalies.detector in ('out_of_stock', 'runs_out_before_delivery', 'overdue_order')
                then current_stock.value_at_risk
            when anomalies.detector = 'excess_stock' then current_stock.excess_value
            when detectors.notification_type = 'stock' then current_stock.stock_value
            -- a wrong record misstates the stock, or the order that follows from it
            else
                greatest(
                    current_stock.quantity, coalesce(current_stock.daily_units_out, 0) * current_stock.lead_time_days
                ) * nullif(current_stock.price, 0)
        end as value_at_risk
    from anomalies
    inner join root_causes
        on anomalies.anomaly_id = root_causes.anomaly_id
    inner join detectors
        on anomalies.detector = detectors.detector
    left join current_stock
        on
            anomalies.store_location = current_stock.store_location
            and anomalies.product_id = current_stock.product_id
    left join mean_prices
        on
            anomalies.product_id is null
            and anomalies.store_location = mean_prices.store_location
            and anomalies.category is not distinct from mean_prices.category
    left join store_values
        on anomalies.store_location = store_values.store_location
    left join daily_stock
        on
            detectors.notification_type = 'forecast'
            and anomalies.store_location = daily_stock.store_location
            and anomalies.category = daily_stock.category
            and cast(anomalies.event_timestamp as date) = daily_stock.event_date

),

final as (

    select
        anomaly_id,
        cause,
        cause_id,
        notification_type,
        detector,
        reason,
        is_covered_by_region,
        region,
        store_location,
        current_category as category,
        product_id,
        product_label,
        event_timestamp as seen_at,
        cooldown_days,
        finding,
        message,
        value_at_risk,
        store_value,
        observed_value,
        daily_units_out,
        lead_time_days,
        suggested_order,
        -- Models rank by value themselves. A shelf that is empty tomorrow is as good as empty. Where the next delivery
        -- is enough, nothing is left to do but to ask for it sooner, which only much at risk is worth.
        method in ('rule-based', 'text') as is_ranked_by_value,
        case
            when
                detector in ('out_of_stock', 'runs_out_before_delivery')
                and suggested_order = 0
                and next_delivery_at is not null
                then 'medium'
            when detector = 'runs_out_before_delivery' and quantity < daily_units_out then 'critical'
            else severity
        end as severity
    from valued

)

select * from final
