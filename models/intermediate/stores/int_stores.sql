{{ config(tags=['frequent']) }}

with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

described as (

    select * from {{ ref('stg_masters__stores') }}

),

stores as (

    select distinct store_location
    from levels
    where next_reading_at is null

),

-- what the file says of a store, else what it says of all others
final as (

    select
        stores.store_location,
        coalesce(described.name, stores.store_location) as name,  -- noqa: RF04
        coalesce(described.region, fallback.region, 'Unknown') as region,
        coalesce(described.country, fallback.country) as country,
        coalesce(described.time_zone, fallback.time_zone, 'UTC') as time_zone
    from stores
    left join described
        on stores.store_location = described.store_location
    left join described as fallback
        on fallback.store_location = '*'

)

select * from final
