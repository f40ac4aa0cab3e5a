with

forecasts as (

    select * from {{ ref('fct_forecasts') }}

),

stock_metrics as (

    select * from {{ ref('fct_stock_metrics') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

-- of several forecasts for one day the first published one is judged
first_published as (

    select
        *,
        event_date + interval '1 day' as forecast_timestamp
    from forecasts
    qualify
        row_number() over (
            partition by model_name, store_location, category, event_date
            order by cutoff_date
        ) = 1

),

final as (

    select
        first_published.model_name,
        first_published.store_location,
        first_published.category,
        first_published.cutoff_date,
        first_published.predicted_quantity,
        stock_metrics.total_quantity as actual_quantity,
        first_published.forecast_timestamp
    from first_published
    cross join as_of
    left join stock_metrics
        on
            first_published.store_location = stock_metrics.store_location
            and first_published.category = stock_metrics.category
            and first_published.forecast_timestamp = stock_metrics.event_timestamp
            and first_published.forecast_timestamp <= as_of.as_of
            -- a level that was last read before the cutoff is what the model was trained on, not an actual
            and stock_metrics.last_reading_at > first_published.cutoff_date + interval '1 day'

)

select * from final
