-- Catches an actual that is not the published total_quantity of its timestamp, and one for a timestamp in the future:
-- forecasts would be judged by invented figures. No tolerance: both columns come from the same integers.
with

ml_metrics as (

    select * from {{ ref('ml_metrics') }}

),

metrics as (

    select * from {{ ref('metrics') }}

)

select
    ml_metrics.model_name,
    ml_metrics.store_location,
    ml_metrics.category,
    ml_metrics.forecast_timestamp,
    ml_metrics.actual_quantity,
    metrics.total_quantity
from ml_metrics
left join metrics
    on
        ml_metrics.store_location = metrics.store_location
        and ml_metrics.category = metrics.category
        and ml_metrics.forecast_timestamp = metrics.event_timestamp
where
    ml_metrics.actual_quantity is not null
    and ml_metrics.actual_quantity is distinct from metrics.total_quantity
