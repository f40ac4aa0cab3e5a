with

new_readings as (

    select * from {{ ref('int_new_readings') }}

),

touched_stores as (

    select * from {{ ref('int_touched_stores') }}

),

accepted_readings as not materialized (

    select * from {{ ref('int_accepted_readings') }}

),

read_products as (

    select
        store_location,
        product_id,
        {{ judged_again_before('event_timestamp') }} as changed_from
    from new_readings

),

-- the reading of one product may show that the store was closed when others read 0
empty_products as (

    select
        accepted_readings.store_location,
        accepted_readings.product_id,
        accepted_readings.event_timestamp as changed_from
    from accepted_readings
    inner join touched_stores
        on
            accepted_readings.store_location = touched_stores.store_location
            and accepted_readings.event_timestamp >= touched_stores.changed_from
    where accepted_readings.stock_level = 0

),

touched as (

    select * from read_products
    union all
    select * from empty_products

),

final as (

    select
        store_location,
        product_id,
        min(changed_from) as changed_from
    from touched
    group by store_location, product_id

)

select * from final
