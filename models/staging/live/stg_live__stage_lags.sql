with

lags as (

    {% if data_files_exist('live/lags.csv') %}
        select * from {{ source('live', 'lags') }}
    {% else %}
        select
            cast(null as varchar) as stage,  -- noqa: RF04
            cast(null as varchar) as lag_seconds,
            cast(null as varchar) as newest_message_at,
            cast(null as varchar) as measured_at
        where false
    {% endif %}

),

renamed as (

    select
        -- text
        stage,

        -- numerics
        cast(lag_seconds as double) as lag_seconds,

        -- timestamps
        {{ utc('newest_message_at') }} as newest_message_at,
        {{ utc('measured_at') }} as measured_at

    from lags

)

select * from renamed
