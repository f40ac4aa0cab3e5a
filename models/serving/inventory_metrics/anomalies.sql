with

anomalies as (

    select * from {{ ref('fct_anomalies') }}

),

final as (

    select
        description,
        method,
        store_location,
        category,
        {{ iso_timestamp('event_timestamp') }} as event_timestamp
    from anomalies

)

select * from final
