with

-- only the two dates are required
promotions as (

    select
        cast(null as varchar) as store_location,
        cast(null as varchar) as category,
        cast(null as varchar) as product_id,
        cast(null as varchar) as start_date,
        cast(null as varchar) as end_date
    where false
    {% if data_files_exist('promotions.csv') %}
        union all by name
        select * from {{ master_rows(source('masters', 'promotions'), 'promotions.csv') }}
    {% endif %}

),

renamed as (

    select distinct
        {{ date_of(tidied('start_date')) }} as start_date,
        {{ date_of(tidied('end_date')) }} as end_date,
        coalesce(nullif({{ tidied('store_location') }}, ''), '*') as store_location,
        coalesce(nullif({{ tidied('product_id') }}, ''), '*') as product_id,
        coalesce(nullif({{ tidied('category') }}, ''), '*') as category
    from promotions

)

select * from renamed
