with

choices as (

    select * from {{ ref('int_forecast_choices') }}

),

backtests as (

    select * from {{ ref('int_backtests') }}

),

cutoffs as (

    select distinct cutoff_date
    from choices

),

-- what pages would have shown
chosen as (

    select
        backtests.store_location,
        backtests.category,
        backtests.cutoff_date,
        backtests.event_date,
        backtests.actual_quantity - backtests.predicted_quantity as error,
        backtests.predicted_quantity - backtests.lower_80 as width_below,
        backtests.upper_80 - backtests.predicted_quantity as width_above
    from backtests
    inner join choices
        on
            backtests.forecaster = choices.forecaster
            and backtests.store_location = choices.store_location
            and backtests.category = choices.category
            and backtests.cutoff_date = choices.cutoff_date
    where choices.is_chosen

),

-- what a filter may leave
parts_of_sums as (

    select
        *,
        unnest(['of a store', 'of a category', 'of everything']) as kind_of_sum
    from chosen

),

sums as (

    select
        cutoff_date,
        event_date,
        kind_of_sum,
        {{ exact_sum('error') }} as error,
        {{ exact_sum('width_below') }} as width_below,
        {{ exact_sum('width_above') }} as width_above,
        {{ exact_sum('power(width_below, 2)') }} as squares_below,
        {{ exact_sum('power(width_above, 2)') }} as squares_above
    from parts_of_sums
    group by
        cutoff_date,
        event_date,
        kind_of_sum,
        case when kind_of_sum = 'of a store' then store_location end,
        case when kind_of_sum = 'of a category' then category end
    having count(*) > 1

),

on_its_side as (

    select
        *,
        case when error < 0 then width_below else width_above end as width,
        case when error < 0 then squares_below else squares_above end as squares
    from sums

),

-- the correlation at which the band of the sum would have just reached what came
needed as (

    select
        cutoff_date,
        kind_of_sum,
        greatest(least((power(error, 2) - squares) / (power(width, 2) - squares), 1), 0) as band_correlation
    from on_its_side
    where power(width, 2) > squares

),

-- the one that would have been enough on 80 % of days, as in split conformal prediction
enough as (

    select
        cutoffs.cutoff_date,
        needed.kind_of_sum,
        list_sort(list(needed.band_correlation))[
            least(cast(ceil(0.8 * (count(*) + 1)) as integer), count(*))
        ] as band_correlation
    from cutoffs
    inner join needed
        on cutoffs.cutoff_date >= needed.cutoff_date + {{ var('forecast_horizon') }}
    group by cutoffs.cutoff_date, needed.kind_of_sum

),

-- for every kind of sum; where no window is over yet, nothing is known to even out
final as (

    select
        cutoffs.cutoff_date,
        round(coalesce(max(enough.band_correlation), 1), 6) as band_correlation
    from cutoffs
    left join enough
        on cutoffs.cutoff_date = enough.cutoff_date
    group by cutoffs.cutoff_date

)

select * from final
