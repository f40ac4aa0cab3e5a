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

rules as (

    select * from {{ ref('anomaly_rules') }}

),

findings as (

    select * from stock_anomalies
    union all
    select * from quantity_anomalies
    union all
    select * from price_anomalies
    union all
    select * from feed_anomalies

),

final as (

    select
        findings.rule_id,
        rules.family,
        -- the documented name of the column is a keyword
        'rule-based' as method,  -- noqa: RF04
        rules.severity,
        findings.store_location,
        findings.category,
        findings.product_id,
        findings.reading_value,
        findings.observed_value,
        rules.threshold,
        findings.evidence,
        findings.event_timestamp,
        -- a state stands until it is mended, an occurrence until it has not come again for the rule's quiet days
        rules.cooldown_days is null as is_state,
        {{ row_digest([
            'findings.rule_id', 'findings.store_location', 'findings.category', 'findings.product_id',
            'findings.event_timestamp'
        ]) }} as anomaly_id,
        format(
            '{} · {}: {} {}, limit {} (rule {})',
            coalesce(
                findings.product_id,
                case when findings.store_location is not null then 'All products' end,
                'All stores'
            ),
            rules.title,
            {{ three_digits('findings.observed_value') }},
            rules.threshold_unit,
            {{ three_digits('rules.threshold') }},
            findings.rule_id
        ) as description
    from findings
    inner join rules
        on findings.rule_id = rules.rule_id

)

select * from final
