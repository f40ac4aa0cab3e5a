{{ config(tags=['frequent']) }}

with

-- all columns but the first are optional
products as (

    select
        cast(null as varchar) as product_id,
        cast(null as varchar) as name,  -- noqa: RF04
        cast(null as varchar) as unit,
        cast(null as varchar) as supplier,
        cast(null as varchar) as pack_size,
        cast(null as varchar) as minimum_order,
        cast(null as varchar) as unit_cost,
        cast(null as bigint) as row_number  -- noqa: RF04
    where false
    {% if data_files_exist('products.csv') %}
        union all by name
        select
            *,
            row_number() over () as row_number  -- noqa: RF04
        from {{ complete_master_rows(source('masters', 'products'), 'products.csv') }}
    {% endif %}

),

tidied as (

    select
        row_number,
        {{ tidied('product_id') }} as product_id,
        {{ tidied('name') }} as name,  -- noqa: RF04
        {{ tidied('unit') }} as unit,
        {{ tidied('supplier') }} as supplier,
        {{ tidied('pack_size') }} as pack_size,
        {{ tidied('minimum_order') }} as minimum_order,
        {{ tidied('unit_cost') }} as unit_cost
    from products

),

judged as (

    select
        *,
        {{ product_fault() }} as fault
    from tidied

),

renamed as (

    select
        -- ids
        product_id,

        -- text
        nullif(name, '') as name,  -- noqa: RF04
        nullif(unit, '') as unit,
        nullif(supplier, '') as supplier,

        -- numerics
        try_cast(pack_size as bigint) as pack_size,
        try_cast(minimum_order as bigint) as minimum_order,
        {{ amount('unit_cost') }} as unit_cost

    from judged
    where fault is null

)

select * from renamed
