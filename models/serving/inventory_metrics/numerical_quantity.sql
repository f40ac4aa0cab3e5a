with

outliers as (

    select * from {{ ref('fct_quantity_outliers') }}

),

final as (

    select
        model_name,
        anomaly_type,
        store_location,
        category,
        format(
            '{}: {:.0f} units where about {:.0f} were expected (score {:.2f}, driven by {})',
            product_id, observed_quantity, expected_quantity, score, driver
        ) as anomaly_description,
        event_date + interval '1 day' as forecast_timestamp
    from outliers

)

select * from final
