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
        select * from {{ master_rows(source('masters', 'school_holidays'), 'school_holidays.csv') }}
    {% endif %}

),

renamed as (

    select distinct
        {{ date_of(tidied('first_day')) }} as first_day,
        {{ date_of(tidied('last_day')) }} as last_day,
        coalesce(nullif({{ tidied('store_location') }}, ''), '*') as store_location,
        coalesce(nullif({{ tidied('region') }}, ''), '*') as region,
        coalesce(upper(nullif({{ tidied('country') }}, '')), '*') as country
    from school_holidays

)

select * from renamed
