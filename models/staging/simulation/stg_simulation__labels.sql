with

labels as (

    {% if has_labels() %}
        select * from {{ source('simulation', 'labels') }}
    {% else %}
        select
            cast(null as varchar) as anomaly_id,
            cast(null as varchar) as store,
            cast(null as varchar) as product,
            cast(null as varchar) as category,
            cast(null as varchar) as kind,
            cast(null as varchar) as expected_detector,
            cast(null as varchar) as start,
            cast(null as varchar) as "end"
        where false
    {% endif %}

),

renamed as (

    select
        -- ids
        anomaly_id as label_id,
        store as store_location,
        nullif(product, 'N/A') as product_id,

        -- text
        category,
        kind,
        expected_detector,

        -- timestamps
        {{ utc('cast(start as timestamptz)') }} as started_at,
        {{ utc('cast("end" as timestamptz)') }} as ended_at

    from labels
    -- labels of notes have no span
    where start is not null

)

select * from renamed
