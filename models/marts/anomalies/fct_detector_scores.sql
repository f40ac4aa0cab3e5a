{{ config(materialized='view') }}

select
    detector,
    detector_label,
    method,  -- noqa: RF04
    kind,
    label_count,
    found_count,
    recall,
    median_delay_days,
    anomaly_count,
    alert_precision,
    f1_score,
    false_alerts_per_store_week
from {{ ref('int_detector_scores') }}
