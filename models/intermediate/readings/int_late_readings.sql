{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch'],
        pre_hook="{% if is_incremental() %} delete from {{ this }} where {{ is_judged_again() }} {% endif %}"
    )
}}

with

readings as (

    select * from {{ ref('stg_inventory_events__readings') }}

),

final as (

    select distinct
        store_location,
        product_id,
        category,
        quantity,
        price,
        event_timestamp,
        published_at,
        batch_id
    from readings
    where
        -- a build from nothing takes every reading, however old
        {{ is_late_reading() if is_incremental() else 'false' }}

)

select * from final
