with

promotions as (

    select * from {{ ref('stg_masters__promotions') }}

),

products as (

    select
        store_location,
        product_id,
        arg_max(category, ds) as category,
        unnest([product_id, '*']) as promoted_id
    from {{ ref('int_product_flows') }}
    group by store_location, product_id

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

promoted as (

    select
        products.store_location,
        products.category,
        products.product_id,
        promotions.start_date,
        promotions.end_date
    from products
    inner join promotions
        on
            products.promoted_id = promotions.product_id
            and promotions.store_location in (products.store_location, '*')
            and promotions.category in (products.category, '*')

),

-- a promotion without an end in sight is known no further than forecasts reach
final as (

    select distinct
        promoted.store_location,
        promoted.category,
        promoted.product_id,
        {{ series_id('promoted.store_location', 'promoted.product_id') }} as unique_id,
        cast(unnest(generate_series(
            greatest(promoted.start_date, cast(as_of.as_of as date) - {{ var('model_history_days') }}),
            least(promoted.end_date, cast(as_of.as_of as date) + {{ var('forecast_horizon') }}),
            interval '1 day'
        )) as timestamp) as ds
    from promoted
    cross join as_of

)

select * from final
