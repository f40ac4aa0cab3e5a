{{ config(materialized='view') }}

with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

closing_levels as (

    select
        store_location,
        product_id,
        cast(event_timestamp as date) as event_date,
        arg_max(quantity, event_timestamp) as quantity
    from levels
    group by store_location, product_id, event_date

),

-- the last level of a day holds until the next day with a reading
spells as (

    select
        closing_levels.*,
        coalesce(
            lead(closing_levels.event_date) over (
                partition by closing_levels.store_location, closing_levels.product_id
                order by closing_levels.event_date
            ) - 1,
            cast(as_of.as_of as date)
        ) as last_date
    from closing_levels
    cross join as_of

),

recent_spells as (

    select
        spells.* replace (
            greatest(spells.event_date, cast(as_of.as_of as date) - {{ var('model_history_days') }}) as event_date
        )
    from spells
    cross join as_of
    where spells.last_date >= cast(as_of.as_of as date) - {{ var('model_history_days') }}

),

final as (

    select
        {{ series_id('store_location', 'product_id') }} as unique_id,
        cast(unnest(generate_series(event_date, last_date, interval '1 day')) as timestamp) as ds,
        cast(quantity as double) as y
    from recent_spells

)

select * from final
