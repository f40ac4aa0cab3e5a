{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch', 'frequent'],
        pre_hook="{% if is_incremental() %}
            delete from {{ this }} as stored using {{ ref('int_build_limits') }} as build_limits
            where
                stored.batch_id > build_limits.after_batch_id
                or (build_limits.backfill_from is not null and stored.event_timestamp >= build_limits.late_before)
        {% endif %}"
    )
}}

with

readings as (

    select * from {{ ref('stg_inventory_events__readings') }}

),

build_limits as (

    select * from {{ ref('int_build_limits') }}

),

-- a full refresh has no limits: it takes every reading, however old
final as (

    select distinct
        readings.store_location,
        readings.product_id,
        readings.category,
        readings.quantity,
        readings.price,
        readings.event_timestamp,
        readings.published_at,
        readings.batch_id
    from readings
    inner join build_limits
        on
            readings.batch_id > build_limits.after_batch_id
            and readings.event_timestamp < build_limits.late_before

)

select * from final
