with

-- labels of readings and of notes have columns of their own, and a data folder may have either or none
labels as (

    select
        cast(null as varchar) as anomaly_id,
        cast(null as varchar) as note_id,
        cast(null as varchar) as store,
        cast(null as varchar) as store_location,
        cast(null as varchar) as product,
        cast(null as varchar) as product_id,
        cast(null as varchar) as category,
        cast(null as varchar) as kind,
        cast(null as varchar) as expected_detector,
        cast(null as varchar) as start,  -- noqa: RF04
        cast(null as varchar) as "end",  -- noqa: RF04
        cast(null as varchar) as event_timestamp
    where false
    {% if data_files_exist('events/*.truth/anomalies.csv') %}
        union all by name
        select * from {{ source('simulation', 'labels') }}
    {% endif %}

),

renamed as (

    select
        -- ids
        coalesce(anomaly_id, note_id) as label_id,
        coalesce(store, store_location) as store_location,
        nullif(coalesce(product, product_id), 'N/A') as product_id,

        -- text
        category,
        kind,
        coalesce(expected_detector, 'text') as expected_detector,

        -- timestamps
        {{ utc('cast(coalesce(start, event_timestamp) as timestamptz)') }} as started_at,
        {{ utc('cast(coalesce("end", event_timestamp) as timestamptz)') }} as ended_at

    from labels

)

select * from renamed
