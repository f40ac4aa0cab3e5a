{{ config(materialized='view') }}

with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

products as (

    select * from {{ ref('stg_masters__products') }}

),

-- the last reading may be suspect, so take the last one that is not
latest as (

    select
        store_location,
        category,
        product_id,
        stock_level as quantity,
        price,
        event_timestamp as last_reading_at
    from levels
    where next_reading_at is null and not is_suspect

),

-- the default row holds for products without a row of their own, and for what a row leaves empty
final as (

    select
        latest.store_location,
        latest.category,
        latest.product_id,
        latest.quantity,
        latest.price,
        latest.last_reading_at,
        products.name as product_name,
        coalesce(products.unit, default_product.unit) as unit,
        coalesce(products.supplier, default_product.supplier) as supplier,
        coalesce(products.pack_size, default_product.pack_size, 1) as pack_size,
        coalesce(products.minimum_order, default_product.minimum_order, 1) as minimum_order,
        coalesce(products.unit_cost, default_product.unit_cost) as unit_cost
    from latest
    left join products
        on latest.product_id = products.product_id
    left join products as default_product
        on default_product.product_id = '*'

)

select * from final
