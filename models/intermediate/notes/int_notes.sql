{{ config(tags=['across_stores']) }}

with

notes as (

    select * from {{ ref('stg_inventory_notes__notes') }}

),

levels as (

    select * from {{ ref('int_stock_levels') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

newest_versions as (

    select
        note_id,
        arg_max(product_id, arrival) as product_id,
        arg_max(category, arrival) as category,
        arg_max(store_location, arrival) as store_location,
        arg_max(note, arrival) as note,
        arg_max(event_timestamp, arrival) as event_timestamp
    from notes
    group by note_id

),

noted_products as (

    select
        store_location,
        product_id,
        min(event_timestamp) as first_noted_at
    from newest_versions
    group by store_location, product_id

),

-- of all readings only those that a note may be about
known_levels as (

    select levels.*
    from levels
    inner join noted_products
        on
            levels.store_location = noted_products.store_location
            and levels.product_id = noted_products.product_id
            and levels.event_timestamp >= noted_products.first_noted_at - interval '{{ var("stale_after") }}'
    where not levels.is_suspect

),

with_levels as (

    select
        newest_versions.*,
        known_levels.quantity,
        known_levels.previous_quantity,
        known_levels.event_timestamp as read_at
    from newest_versions
    cross join as_of
    asof left join known_levels
        on
            newest_versions.store_location = known_levels.store_location
            and newest_versions.product_id = known_levels.product_id
            and newest_versions.event_timestamp >= known_levels.event_timestamp
    where newest_versions.event_timestamp <= as_of.as_of

),

dated as (

    select
        *,
        -- an older reading says little about the shelf
        coalesce(read_at >= event_timestamp - interval '{{ var("stale_after") }}', false) as is_recent
    from with_levels

),

final as (

    select
        note_id,
        product_id,
        category,
        store_location,
        note,
        event_timestamp,
        case when is_recent then quantity end as quantity,
        case when is_recent then greatest(quantity - coalesce(previous_quantity, quantity), 0) end as units_in
    from dated

)

select * from final
