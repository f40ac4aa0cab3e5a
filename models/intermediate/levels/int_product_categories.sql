{{ config(tags=['across_stores']) }}

with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

store_categories as (

    select
        store_location,
        product_id,
        category,
        count(*) as reading_count,
        min(event_timestamp) as first_reading_at,
        max(event_timestamp) as last_reading_at
    from levels
    group by store_location, product_id, category

),

product_categories as (

    select
        product_id,
        category,
        sum(reading_count) as reading_count
    from store_categories
    group by product_id, category

),

-- what a product is called most often, over all stores
usual_categories as (

    select
        product_id,
        category
    from product_categories
    qualify
        row_number() over (
            partition by product_id
            order by reading_count desc, category asc
        ) = 1

),

final as (

    select
        store_categories.store_location,
        store_categories.product_id,
        store_categories.category,
        store_categories.reading_count,
        store_categories.first_reading_at,
        store_categories.last_reading_at,
        usual_categories.category as usual_category,
        -- a category is known when it is the usual one of some product
        store_categories.category in (select known.category from usual_categories as known) as is_known
    from store_categories
    inner join usual_categories
        on store_categories.product_id = usual_categories.product_id

)

select * from final
