{{ config(materialized='view') }}

with

anomalies as (

    select * from {{ ref('int_anomalies') }}

),

final as (

    select
        anomaly_id,
        detector,
        detector_label,
        -- the documented name of the column is a keyword
        method,  -- noqa: RF04
        kind,
        severity,
        store_location,
        category,
        product_id,
        event_timestamp,
        observed_value,
        expected_value,
        threshold,
        score,
        evidence,
        also_found_by,
        is_state,
        case method
            when 'rule-based'
                then format(
                    '{} · {}: {} {}, limit {} (rule {})',
                    coalesce(
                        product_id,
                        case when store_location is not null then 'All products' end,
                        'All stores'
                    ),
                    detector_label,
                    {{ three_digits('score') }},
                    threshold_unit,
                    {{ three_digits('threshold') }},
                    detector
                )
            when 'text' then product_id || ' · note ' || evidence
            else
                coalesce(product_id, category, 'All products') || ' · ' || detector_label || ': '
                || concat_ws(' ', format('{:,.0f} units', observed_value), evidence)
        end || coalesce('; also found by: ' || also_found_by, '') as description
    from anomalies

)

select * from final
