with

backtests as (

    select * from {{ ref('int_backtests') }}

),

judged as (

    select
        *,
        predicted_quantity - actual_quantity as error,
        -- the loss of each bound and of the forecast as a quantile, whose mean is least for the true quantiles
        (
            greatest(0.025 * (actual_quantity - lower_95), (0.025 - 1) * (actual_quantity - lower_95))
            + greatest(0.1 * (actual_quantity - lower_80), (0.1 - 1) * (actual_quantity - lower_80))
            + abs(actual_quantity - predicted_quantity) / 2
            + greatest(0.9 * (actual_quantity - upper_80), (0.9 - 1) * (actual_quantity - upper_80))
            + greatest(0.975 * (actual_quantity - upper_95), (0.975 - 1) * (actual_quantity - upper_95))
        ) / 5 as pinball_loss
    from backtests

),

-- the yardstick of the same day
naive as (

    select
        *,
        abs(error) as naive_absolute_error
    from judged
    where forecaster = 'seasonal_naive'

),

final as (

    select
        judged.forecaster,
        judged.store_location,
        judged.category,
        judged.cutoff_date,
        judged.horizon_week,
        max(judged.event_date) as last_date,
        count(*) as day_count,
        cast(sum(judged.actual_quantity) as bigint) as actual_quantity,
        {{ exact_sum('judged.error') }} as error,
        {{ exact_sum('abs(judged.error)') }} as absolute_error,
        {{ exact_sum('naive.naive_absolute_error') }} as naive_absolute_error,
        {{ exact_sum('power(judged.error, 2)') }} as squared_error,
        {{ exact_sum('judged.pinball_loss') }} as pinball_loss,
        any_value(judged.naive_absolute_scale) as naive_absolute_scale,
        any_value(judged.naive_squared_scale) as naive_squared_scale,
        count(*) filter (where judged.actual_quantity between judged.lower_80 and judged.upper_80) as covered_80_count,
        count(*) filter (where judged.actual_quantity between judged.lower_95 and judged.upper_95) as covered_95_count
    from judged
    left join naive
        on
            judged.store_location = naive.store_location
            and judged.category = naive.category
            and judged.cutoff_date = naive.cutoff_date
            and judged.event_date = naive.event_date
    group by
        judged.forecaster, judged.store_location, judged.category, judged.cutoff_date, judged.horizon_week

)

select * from final
