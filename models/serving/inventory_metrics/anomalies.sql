with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

final as (

    select
        description,
        method,
        event_timestamp,
        coalesce(store_location, 'N/A') as store_location,
        coalesce(category, 'N/A') as category
    from anomalies

)

select * from final
