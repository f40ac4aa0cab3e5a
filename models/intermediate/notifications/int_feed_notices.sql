with

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

messages as (

    select * from {{ ref('stg_inventory_events__messages') }}

),

levels as (

    select * from {{ ref('int_stock_levels') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

category_feeds as (

    select
        store_location,
        category,
        count(*) as product_count,
        count(*) filter (where is_stale) as stale_count,
        max(last_reading_at) filter (where is_stale) as last_reading_at,
        sum(stock_value) filter (where is_stale) as value_at_risk
    from current_stock
    group by store_location, category

),

-- some products of a category are always read late; its feed is quiet when most of them are
quiet_stores as (

    select
        store_location,
        string_agg(category, ', ' order by category asc) as categories,
        sum(stale_count) as stale_count,
        sum(product_count) as product_count,
        max(last_reading_at) as last_reading_at,
        sum(value_at_risk) as value_at_risk
    from category_feeds
    where stale_count * 2 > product_count
    group by store_location

),

-- one notice a store: a scanner or a line that is down is one matter, however many products it silences
quiet_feeds as (

    select
        rules.channel as notification_type,
        rules.severity,
        rules.rule_id,
        quiet_stores.store_location,
        'N/A' as category,
        'N/A' as product_id,
        quiet_stores.last_reading_at as first_seen_at,
        as_of.as_of as last_seen_at,
        cast(quiet_stores.stale_count as bigint) as occurrence_count,
        format(
            'has sent no reading of {} of the {} products in {} for {:.0f} hours or more. '
            || 'What is shown for them is old. Check the scanner or the connection.',
            quiet_stores.stale_count,
            quiet_stores.product_count,
            quiet_stores.categories,
            floor((epoch_us(as_of.as_of) - epoch_us(quiet_stores.last_reading_at)) / 3600e6)
        ) as matter,
        coalesce(quiet_stores.value_at_risk, 0) as value_at_risk,
        true as is_open
    from quiet_stores
    cross join as_of
    inner join rules
        on rules.rule_id = 'stale_feed'

),

readings as (

    select
        sum(content_count) as reading_count,
        min(event_timestamp) as first_reading_at
    from levels

),

-- each content counts once, as it does among the readings, so that sending it again changes nothing
rejected as (

    select
        count(distinct content_digest) as rejected_count,
        mode(rejection_reason order by rejection_reason asc) as usual_reason
    from messages
    where is_quarantined

),

quarantine as (

    select
        rules.channel as notification_type,
        rules.severity,
        rules.rule_id,
        'N/A' as store_location,
        'N/A' as category,
        'N/A' as product_id,
        readings.first_reading_at as first_seen_at,
        as_of.as_of as last_seen_at,
        rejected.rejected_count as occurrence_count,
        format(
            'The intake could not read {:,} messages ({:.1f} % of all), for example: {}. '
            || 'They are kept aside and missing from every figure. Correct what sends them.',
            rejected.rejected_count,
            100.0 * rejected.rejected_count / (rejected.rejected_count + readings.reading_count),
            rejected.usual_reason
        ) as matter,
        0 as value_at_risk,
        true as is_open
    from rejected
    cross join readings
    cross join as_of
    inner join rules
        on rules.rule_id = 'quarantined_messages'
    where
        rejected.rejected_count
        > (rejected.rejected_count + readings.reading_count) * rules.limit_value

),

final as (

    select * from quiet_feeds
    union all by name
    select * from quarantine

)

select * from final
