{{ config(materialized='view') }}

with

stores as (

    select * from {{ ref('dim_stores') }}

),

final as (

    select
        store_location,
        name,
        region,
        country,
        time_zone
    from stores

)

select * from final
