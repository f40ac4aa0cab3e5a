{{ config(materialized='view') }}

with

rules as (

    select * from {{ ref('anomaly_rules') }}

),

detectors as (

    select * from {{ ref('detectors') }}

),

final as (

    select
        rule_id as detector,
        -- the registry's names, two of them keywords
        title as label,  -- noqa: RF04
        'rule-based' as method,  -- noqa: RF04
        severity,
        threshold,
        true as published,
        notification_type,
        cooldown_days,
        message
    from rules
    union all by name
    select
        detector,
        label,
        method,  -- noqa: RF04
        severity,
        published,
        notification_type,
        cooldown_days,
        message
    from detectors

)

select * from final
