with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

history as (

    select
        *,
        min(nullif(greatest(reported_price, 0), 0)) over earlier_readings as lowest_price,
        max(nullif(greatest(reported_price, 0), 0)) over earlier_readings as highest_price,
        count(nullif(greatest(reported_price, 0), 0)) over earlier_readings as prices_before
    from levels
    where reported_price is not null
    window
        earlier_readings as (
            partition by store_location, product_id
            order by event_timestamp
            rows between 20 preceding and 1 preceding
        )

),

zero_price as (

    select
        'zero_price' as rule_id,
        store_location,
        category,
        product_id,
        event_timestamp,
        cast(reported_price as double) as reading_value,
        cast(reported_price as double) as observed_value
    from history
    where reported_price <= 0

),

price_outlier as (

    select
        'price_outlier' as rule_id,
        history.store_location,
        history.category,
        history.product_id,
        history.event_timestamp,
        cast(history.reported_price as double) as reading_value,
        greatest(
            history.reported_price / history.highest_price,
            history.lowest_price / history.reported_price
        ) as observed_value
    from history
    inner join rules
        on rules.rule_id = 'price_outlier'
    where
        history.reported_price > 0
        and history.prices_before >= 5
        and (
            history.reported_price > history.highest_price * rules.limit_value
            or history.reported_price < history.lowest_price / rules.limit_value
        )

),

final as (

    select * from zero_price
    union all
    select * from price_outlier

)

select * from final
