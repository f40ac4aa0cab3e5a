with

product_forecasts as (

    select * from {{ ref('int_product_forecasts') }}

),

performance as (

    select * from {{ ref('fct_product_performance') }}

),

forecasts as (

    select * from {{ ref('fct_forecasts') }}

),

products as (

    select
        store_location,
        category,
        product_id,
        abc_class,
        {{ series_id('store_location', 'product_id') }} as unique_id
    from performance

),

newest as (

    select
        products.store_location,
        products.category,
        products.product_id,
        products.abc_class,
        cast(product_forecasts.cutoff as date) as cutoff_date,
        cast(product_forecasts.ds as date) as event_date,
        product_forecasts.units_out,
        product_forecasts.level as stock
    from product_forecasts
    inner join products
        on product_forecasts.unique_id = products.unique_id
    qualify product_forecasts.cutoff = max(product_forecasts.cutoff) over ()

),

sums as (

    select
        store_location,
        category,
        event_date,
        {{ exact_sum('stock') }} as stock
    from newest
    group by store_location, category, event_date

),

chosen as (

    select *
    from forecasts
    where is_chosen

),

-- A product's stock is its share of the published forecast of its category, so that sums agree on a page. Only products
-- that carry most of the value have rows.
final as (

    select
        newest.store_location,
        newest.category,
        newest.product_id,
        newest.cutoff_date,
        newest.event_date,
        newest.units_out as units_out_forecast,
        newest.stock * coalesce(chosen.predicted_quantity / nullif(sums.stock, 0), 1) as stock_forecast
    from newest
    inner join sums
        on
            newest.store_location = sums.store_location
            and newest.category = sums.category
            and newest.event_date = sums.event_date
    left join chosen
        on
            newest.store_location = chosen.store_location
            and newest.category = chosen.category
            and newest.cutoff_date = chosen.cutoff_date
            and newest.event_date = chosen.event_date
    where newest.abc_class = 'A'

)

select * from final
