with

failures as (

    {% if data_files_exist('landing_failures/publish_date=*/*.parquet') %}
        select * from {{ source('live', 'landing_failures') }}
    {% else %}
        select
            null::varchar as failure_id,
            null::varchar as stage,  -- noqa: RF04
            null::varchar as problem,
            null::timestamptz as event_timestamp
        where false
    {% endif %}

),

renamed as (

    select
        -- ids
        failure_id,

        -- text
        stage,
        problem,

        -- timestamps
        {{ utc('event_timestamp') }} as failed_at

    from failures

)

select * from renamed
