-- Catches pages whose sums of forecasts disagree: the bands' forecast of a store and category is the chosen one of the
-- newest cutoff, and its products of class A have a share of it. A unit is left for rounding.
with

bands as (

    select
        store_location,
        category,
        event_date,
        cutoff_date,
        stock_forecast
    from {{ ref('fct_forecast_bands') }}
    where
        is_chosen
        and stock_forecast is not null

),

chosen as (

    select *
    from {{ ref('fct_forecasts') }}
    where is_chosen

),

products as (

    select
        store_location,
        category,
        event_date,
        cutoff_date,
        sum(stock_forecast) as stock_forecast
    from {{ ref('fct_product_forecasts') }}
    group by store_location, category, event_date, cutoff_date

)

select
    bands.store_location,
    bands.category,
    bands.event_date,
    bands.stock_forecast,
    chosen.predicted_quantity as chosen_forecast,
    products.stock_forecast as product_forecast
from bands
left join chosen
    on
        bands.store_location = chosen.store_location
        and bands.category = chosen.category
        and bands.event_date = chosen.event_date
        and bands.cutoff_date = chosen.cutoff_date
left join products
    on
        bands.store_location = products.store_location
        and bands.category = products.category
        and bands.event_date = products.event_date
        and bands.cutoff_date = products.cutoff_date
where
    chosen.predicted_quantity is distinct from bands.stock_forecast
    or products.stock_forecast > bands.stock_forecast + 1
