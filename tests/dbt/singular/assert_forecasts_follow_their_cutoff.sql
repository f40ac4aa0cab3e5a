-- Catches a forecast for a day that the model was trained on, or beyond the horizon: scoring it would praise the model
-- for remembering. No tolerance: a row is a failure.
select
    model_name,
    store_location,
    category,
    cutoff_date,
    event_date
from {{ ref('fct_forecasts') }}
where
    event_date <= cutoff_date
    or event_date > cutoff_date + {{ var('forecast_horizon') }}
