{{ config(tags=['frequent']) }}

with

-- all columns but the first are optional
stores as (

    select
        cast(null as varchar) as store_location,
        cast(null as varchar) as name,  -- noqa: RF04
        cast(null as varchar) as region,
        cast(null as varchar) as country,
        cast(null as varchar) as time_zone
    where false
    {% if data_files_exist('stores.csv') %}
        union all by name
        select * from {{ master_rows(source('masters', 'stores'), 'stores.csv') }}
    {% endif %}

),

renamed as (

    select
        -- ids
        {{ tidied('store_location') }} as store_location,

        -- text
        nullif({{ tidied('name') }}, '') as name,  -- noqa: RF04
        nullif({{ tidied('region') }}, '') as region,
        upper(nullif({{ tidied('country') }}, '')) as country,
        nullif({{ tidied('time_zone') }}, '') as time_zone

    from stores

)

select * from renamed
