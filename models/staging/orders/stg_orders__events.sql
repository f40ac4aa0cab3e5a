{{ config(tags=['frequent']) }}

with

events as (

    select
        cast(null as varchar) as order_id,
        cast(null as varchar) as product_id,
        cast(null as varchar) as store_location,
        cast(null as varchar) as quantity_ordered,
        cast(null as varchar) as ordered_at,
        cast(null as varchar) as expected_at,
        cast(null as varchar) as received_at,
        cast(null as varchar) as cancelled_at
    where false
    {% if data_files_exist('orders.csv') %}
        union all by name
        select * from {{ source('orders', 'orders_csv') }}
    {% endif %}
    {% if data_files_exist('orders.ndjson') %}
        union all by name
        select * from {{ source('orders', 'orders_ndjson') }}
    {% endif %}

),

renamed as (

    select distinct
        -- ids
        {{ tidied('order_id') }} as order_id,
        {{ tidied('product_id') }} as product_id,
        {{ tidied('store_location') }} as store_location,

        -- numerics
        try_cast(quantity_ordered as bigint) as quantity_ordered,

        -- timestamps
        {{ utc('try_cast(ordered_at as timestamptz)') }} as ordered_at,
        {{ utc('try_cast(expected_at as timestamptz)') }} as expected_at,
        {{ utc('try_cast(received_at as timestamptz)') }} as received_at,
        {{ utc('try_cast(cancelled_at as timestamptz)') }} as cancelled_at

    from events
    where {{ order_fault() }} is null

)

select * from renamed
