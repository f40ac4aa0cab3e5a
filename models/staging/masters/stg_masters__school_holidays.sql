with

-- only the two days are required
school_holidays as (

    select
        cast(null as varchar) as store_location,
        cast(null as varchar) as region,
        cast(null as varchar) as country,
        cast(null as varchar) as first_day,
        cast(null as varchar) as last_day
    where false
    {% if data_files_exist('school_holidays.csv') %}
        union all by name
        select * from {{ source('masters', 'school_holidays') }}
    {% endif %}

),

renamed as (

    select distinct
        cast(trim(first_day) as date) as first_day,
        cast(trim(last_day) as date) as last_day,
        coalesce(nullif({{ tidied('store_location') }}, ''), '*') as store_location,
        coalesce(nullif({{ tidied('region') }}, ''), '*') as region,
        coalesce(upper(nullif(trim(country), '')), '*') as country
    from school_holidays

)

select * from renamed
