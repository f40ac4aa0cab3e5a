with

product_forecasts as (

    select * from {{ ref('int_product_forecasts') }}

),

flows as (

    select * from {{ ref('int_product_flows') }}

),

daily_stock as (

    select * from {{ ref('int_daily_stock') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

products as (

    select
        unique_id,
        any_value(store_location) as store_location,
        arg_max(category, ds) as category
    from flows
    group by unique_id

),

-- the level of a category is the sum of its products', so no page shows sums that disagree
summed as (

    select
        products.store_location,
        products.category,
        cast(product_forecasts.cutoff as date) as cutoff_date,
        cast(product_forecasts.ds as date) as event_date,
        (epoch_us(product_forecasts.ds) - epoch_us(product_forecasts.cutoff)) // 86400000000 as days_ahead,
        {{ exact_sum('product_forecasts.level') }} as predicted_quantity,
        {{ exact_sum('product_forecasts.units_out') }} as units_out
    from product_forecasts
    inner join products
        on product_forecasts.unique_id = products.unique_id
    group by all

),

-- by how much all stores together were off, by category and week ahead
windows as (

    select
        summed.category,
        summed.cutoff_date,
        (summed.days_ahead - 1) // 7 as week_ahead,
        max(summed.event_date) as last_date,
        ln(greatest(sum(daily_stock.total_quantity), 1) / greatest({{ exact_sum('summed.predicted_quantity') }}, 1))
            as log_ratio
    from summed
    cross join as_of
    inner join daily_stock
        on
            summed.store_location = daily_stock.store_location
            and summed.category = daily_stock.category
            and summed.event_date = daily_stock.event_date
            and daily_stock.event_date + interval '1 day' <= as_of.as_of
    group by summed.category, summed.cutoff_date, week_ahead

),

forecast_weeks as (

    select distinct
        category,
        cutoff_date,
        (days_ahead - 1) // 7 as week_ahead
    from summed

),

-- of the last three windows that were over at the cutoff; four fifths of what they were off is taken to stay
corrections as (

    select
        forecast_weeks.category,
        forecast_weeks.cutoff_date,
        forecast_weeks.week_ahead,
        -- rounded, so that the order of addition does not matter
        round(exp(0.8 * avg(windows.log_ratio)), 9) as correction
    from forecast_weeks
    inner join windows
        on
            forecast_weeks.category = windows.category
            and forecast_weeks.week_ahead = windows.week_ahead
            and forecast_weeks.cutoff_date >= windows.last_date
            and forecast_weeks.cutoff_date <= windows.cutoff_date + 3 * {{ var('forecast_horizon') }} + 7
    group by forecast_weeks.category, forecast_weeks.cutoff_date, forecast_weeks.week_ahead

),

final as (

    select
        summed.store_location,
        summed.category,
        summed.cutoff_date,
        summed.event_date,
        summed.units_out,
        coalesce(corrections.correction, 1) as correction,
        summed.predicted_quantity * coalesce(corrections.correction, 1) as predicted_quantity
    from summed
    left join corrections
        on
            summed.category = corrections.category
            and summed.cutoff_date = corrections.cutoff_date
            and (summed.days_ahead - 1) // 7 = corrections.week_ahead

)

select * from final
