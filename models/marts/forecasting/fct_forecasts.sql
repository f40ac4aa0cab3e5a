{{ config(materialized='view') }}

with

published_forecasts as (

    select * from {{ ref('int_published_forecasts') }}

),

final as (

    select
        model_name,
        store_location,
        category,
        cutoff_date,
        event_date,
        is_chosen,
        predicted_quantity,
        lower_80,
        upper_80,
        lower_95,
        upper_95,
        fallback_reason
    from published_forecasts

)

select * from final
