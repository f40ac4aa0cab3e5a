{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch'],
        pre_hook="{{ delete_touched(ref('int_touched_products')) }}"
    )
}}

with

product_daily as not materialized (

    select * from {{ ref('int_product_daily') }}

),

{% if is_incremental() %}

    touched_products as (

        select * from {{ ref('int_touched_products') }}

    ),

    days as (

        select product_daily.*
        from product_daily
        semi join touched_products
            on
                product_daily.store_location = touched_products.store_location
                and product_daily.product_id = touched_products.product_id

    ),

{% else %}

    days as (

        select * from product_daily

    ),

{% endif %}

final as (

    select
        store_location,
        product_id,
        arg_max(category, event_date) as category,
        arg_max(closing_quantity, event_date) as closing_quantity,
        arg_max_null(observed_us, event_date) as last_interval_us,
        min(event_date) as first_date,
        min(first_reading_at) as first_reading_at,
        max(last_reading_at) as last_reading_at,
        max(last_reading_at) filter (where units_out > 0) as last_out_at,
        max(last_reading_at) filter (where units_in > 0) as last_in_at,
        max(emptied_at) as emptied_at
    from days
    group by store_location, product_id

)

select * from final
