with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

final as (

    select
        description,
        method,
        coalesce(store_location, 'N/A') as store_location,
        coalesce(category, 'N/A') as category,
        {{ iso_timestamp('event_timestamp') }} as event_timestamp
    from anomalies

)

select * from final
