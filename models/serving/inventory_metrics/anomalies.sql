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
    -- what models flag stands in numerical_quantity, and a forecast tells of nothing that has happened
    where method <> 'machine learning' and kind <> 'forecast'

)

select * from final
