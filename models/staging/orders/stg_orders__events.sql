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
        select * from {{ complete_master_rows(source('orders', 'orders_csv'), 'orders.csv') }}
    {% endif %}
    {% if data_files_exist('orders.ndjson') %}
        union all by name
        select * from {{ source('orders', 'orders_ndjson') }}
    {% endif %}

),

tidied as (

    select
        {{ tidied('order_id') }} as order_id,
        {{ tidied('product_id') }} as product_id,
        {{ tidied('store_location') }} as store_location,
        {{ tidied('quantity_ordered') }} as quantity_ordered,
        {{ tidied('ordered_at') }} as ordered_at,
        {{ tidied('expected_at') }} as expected_at,
        {{ tidied('received_at') }} as received_at,
        {{ tidied('cancelled_at') }} as cancelled_at
    from events

),

renamed as (

    select distinct
        -- ids
        order_id,
        product_id,
        store_location,

        -- numerics
        try_cast(quantity_ordered as bigint) as quantity_ordered,

        -- timestamps
        {{ utc(time_of('ordered_at')) }} as ordered_at,
        {{ utc(time_of('expected_at')) }} as expected_at,
        {{ utc(time_of('received_at')) }} as received_at,
        {{ utc(time_of('cancelled_at')) }} as cancelled_at

    from tidied
    where {{ order_fault() }} is null

)

select * from renamed
