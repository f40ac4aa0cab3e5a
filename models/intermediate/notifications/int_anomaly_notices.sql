{% set gap = "interval '" ~ var('episode_gap_days') ~ " days'" %}

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

-- a quiet feed is one matter for the whole store, see int_feed_notices
product_anomalies as (

    select *
    from anomalies
    where rule_id <> 'stale_feed'

),

spaced as (

    select
        *,
        event_timestamp - lag(event_timestamp) over (
            partition by rule_id, store_location, category, product_id
            order by event_timestamp
        ) as since_previous
    from product_anomalies

),

numbered as (

    select
        *,
        count(*) filter (where since_previous is null or since_previous > {{ gap }}) over (
            partition by rule_id, store_location, category, product_id
            order by event_timestamp
        ) as episode_number
    from spaced

),

episodes as (

    select
        rule_id,
        severity,
        store_location,
        category,
        product_id,
        min(event_timestamp) as first_seen_at,
        max(event_timestamp) as last_seen_at,
        count(*) as occurrence_count,
        arg_max(reading_value, event_timestamp) as reading_value,
        arg_max(limit_value, event_timestamp) as limit_value
    from numbered
    group by rule_id, severity, store_location, category, product_id, episode_number

),

final as (

    select
        rules.channel as type,
        episodes.severity,
        episodes.rule_id,
        episodes.store_location,
        episodes.category,
        episodes.product_id,
        case episodes.rule_id
            when 'negative_stock'
                then format(
                    'was read as {:.0f} units. Stock cannot be below zero, so orders rest on a wrong level. '
                    || 'Count the shelf and correct the record.',
                    episodes.reading_value
                )
            when 'quantity_jump'
                then format(
                    'jumped to {:.0f} units, more than {:.0f} times anything in its last 20 readings. '
                    || 'If no such delivery came, correct the record, or it will not be reordered.',
                    episodes.reading_value, episodes.limit_value
                )
            when 'returned_spike'
                then format(
                    'was read as {:.0f} units and came straight back. The reading is left out of all figures. '
                    || 'Check the scanner or the unit (pieces or cases).',
                    episodes.reading_value
                )
            when 'zero_price'
                then format(
                    'has a price of {:.2f}. Tills may give it away and its stock value is wrong. Correct the price.',
                    episodes.reading_value
                )
            when 'price_outlier'
                then format(
                    'has a price of {:.2f}, over {:.0f} times beyond its last 20. '
                    || 'Check the price label and the price file.',
                    episodes.reading_value, episodes.limit_value
                )
            when 'conflicting_reading'
                then format(
                    'has {:.0f} different readings for one moment; the later one is used. '
                    || 'Check whether two devices report this product.',
                    episodes.reading_value
                )
        end as matter,
        episodes.first_seen_at,
        episodes.last_seen_at,
        episodes.occurrence_count,
        coalesce(current_stock.stock_value, 0) as value_at_risk
    from episodes
    inner join rules
        on episodes.rule_id = rules.rule_id
    left join current_stock
        on
            episodes.store_location = current_stock.store_location
            and episodes.product_id = current_stock.product_id

)

select * from final
