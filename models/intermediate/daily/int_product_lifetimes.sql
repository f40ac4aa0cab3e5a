{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch'],
        pre_hook="{{ delete_touched(touched_products()) }}"
    )
}}

with

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

{% if is_incremental() %}

    touched_products as (

        {{ touched_products() }}

    ),

{% endif %}

final as (

    select
        product_daily.store_location,
        product_daily.product_id,
        arg_max(product_daily.category, product_daily.event_date) as category,
        arg_max(product_daily.closing_quantity, product_daily.event_date) as closing_quantity,
        arg_max_null(product_daily.observed_us, product_daily.event_date) as last_interval_us,
        min(product_daily.event_date) as first_date,
        min(product_daily.first_reading_at) as first_reading_at,
        max(product_daily.last_reading_at) as last_reading_at,
        max(product_daily.last_reading_at) filter (where product_daily.units_out > 0) as last_out_at,
        max(product_daily.last_reading_at) filter (where product_daily.units_in > 0) as last_in_at,
        max(product_daily.emptied_at) as emptied_at
    from product_daily
    {% if is_incremental() %}
        semi join touched_products
            on
                product_daily.store_location = touched_products.store_location
                and product_daily.product_id = touched_products.product_id
    {% endif %}
    group by product_daily.store_location, product_daily.product_id

)

select * from final
