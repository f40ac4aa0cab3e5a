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
    -- what models flag is in numerical_quantity, and a forecast has not happened yet
    where method <> 'machine learning' and kind <> 'forecast'

)

select * from final
