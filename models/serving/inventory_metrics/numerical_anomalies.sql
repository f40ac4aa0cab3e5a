select
    model_name,
    anomaly_type,
    anomaly_description,
    store_location,
    category,
    forecast_timestamp
from {{ ref('numerical_quantity') }}
