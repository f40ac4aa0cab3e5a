-- Catches units that the ageing loses or invents: over its buckets they are the units on hand, product by product.
-- Units are integers: no tolerance.
with

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

ageing as (

    select * from {{ ref('fct_stock_ageing') }}

),

aged as (

    select
        store_location,
        product_id,
        sum(quantity) as quantity
    from ageing
    group by store_location, product_id

)

select
    current_stock.store_location,
    current_stock.product_id,
    current_stock.quantity,
    aged.quantity as aged_quantity
from current_stock
left join aged
    on
        current_stock.store_location = aged.store_location
        and current_stock.product_id = aged.product_id
where current_stock.quantity <> coalesce(aged.quantity, 0)
