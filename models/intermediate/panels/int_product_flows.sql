with

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

levels as (

    select * from {{ ref('int_stock_levels') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

answers as (

    select * from {{ ref('int_episode_answers') }}

),

detectors as (

    select * from {{ ref('detectors') }}

),

expected_episodes as (

    select answers.*
    from answers
    inner join detectors
        on answers.rule_id = detectors.detector
    where
        answers.is_expected
        and detectors.looks_at = 'flows'

),

closing_prices as (

    select
        store_location,
        product_id,
        {{ day_of('event_timestamp') }} as event_date,
        arg_max(price, event_timestamp) as price
    from levels
    where not is_suspect
    group by store_location, product_id, event_date

),

opened as (

    select
        *,
        coalesce(
            lag(closing_quantity) over (partition by store_location, product_id order by event_date),
            closing_quantity + units_out - units_in
        ) as opening_quantity
    from product_daily

),

final as (

    select
        opened.store_location,
        opened.product_id,
        opened.category,
        opened.last_reading_at,
        {{ series_id('opened.store_location', 'opened.product_id') }} as unique_id,
        cast(opened.event_date as timestamp) as ds,
        cast(opened.units_out as double) as units_out,
        cast(opened.units_in as double) as units_in,
        cast(opened.opening_quantity as double) as opening_level,
        cast(closing_prices.price as double) as price,
        exists(
            select 1
            from expected_episodes
            where
                opened.store_location = expected_episodes.store_location
                and opened.product_id = expected_episodes.product_id
                and opened.event_date between cast(expected_episodes.first_seen_at as date)
                and cast(expected_episodes.last_seen_at as date)
        ) as is_expected
    from opened
    inner join closing_prices
        on
            opened.store_location = closing_prices.store_location
            and opened.product_id = closing_prices.product_id
            and opened.event_date = closing_prices.event_date
    cross join as_of
    where opened.event_date >= cast(as_of.as_of as date) - {{ var('model_history_days') }}

)

select * from final
