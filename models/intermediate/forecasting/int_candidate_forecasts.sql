with

forecasts as (

    select * from {{ ref('int_forecasts') }}

),

demand_first_forecasts as (

    select
        *,
        {{ series_id('store_location', 'category') }} as unique_id
    from {{ ref('int_demand_first_forecasts') }}

),

panel as (

    select * from {{ ref('int_store_category_panel') }}

),

-- what the ensemble says of the level itself, what follows from demand and deliveries, and the mean of both
beside_each_other as (

    select
        forecasts.*,
        demand_first_forecasts.predicted_quantity as demand_first,
        (forecasts.y_hat + demand_first_forecasts.predicted_quantity) / 2 as combined
    from forecasts
    inner join demand_first_forecasts
        on
            forecasts.unique_id = demand_first_forecasts.unique_id
            and cast(forecasts.cutoff as date) = demand_first_forecasts.cutoff_date
            and cast(forecasts.ds as date) = demand_first_forecasts.event_date
    where forecasts.model = 'ensemble'

),

derived as (

    unpivot beside_each_other
    on demand_first, combined
    into
    name derived_model
    value prediction

),

-- each error in widths of the ensemble's band, which knows the scale of its series and day
errors as (

    select
        derived.derived_model,
        derived.cutoff,
        max(derived.ds) as last_ds,
        avg(abs(panel.y - derived.prediction) / (derived.hi80 - derived.lo80)) as mean_error,
        avg(abs(panel.y - derived.y_hat) / (derived.hi80 - derived.lo80)) as ensemble_error
    from derived
    inner join panel
        on
            derived.unique_id = panel.unique_id
            and derived.ds = panel.ds
    where derived.hi80 > derived.lo80
    group by derived.derived_model, derived.cutoff

),

forecast_windows as (

    select distinct
        derived_model,
        cutoff
    from derived

),

-- a model that errs less than the ensemble did by the cutoff has a band narrower by as much
band_ratios as (

    select
        forecast_windows.derived_model,
        forecast_windows.cutoff,
        -- rounded, so that the order of addition does not matter
        round(least(greatest(avg(errors.mean_error) / nullif(avg(errors.ensemble_error), 0), 0.5), 2), 6) as band_ratio
    from forecast_windows
    inner join errors
        on
            forecast_windows.derived_model = errors.derived_model
            and forecast_windows.cutoff >= errors.last_ds
    group by forecast_windows.derived_model, forecast_windows.cutoff

),

bounded as (

    select
        derived.unique_id,
        derived.ds,
        derived.cutoff,
        -- the shared forecast frame names its column by a keyword
        derived.derived_model as model,  -- noqa: RF04
        derived.prediction as y_hat,
        derived.fallback_reason,
        greatest(derived.prediction - (derived.y_hat - derived.lo80) * coalesce(band_ratios.band_ratio, 1), 0) as lo80,
        derived.prediction + (derived.hi80 - derived.y_hat) * coalesce(band_ratios.band_ratio, 1) as hi80,
        greatest(derived.prediction - (derived.y_hat - derived.lo95) * coalesce(band_ratios.band_ratio, 1), 0) as lo95,
        derived.prediction + (derived.hi95 - derived.y_hat) * coalesce(band_ratios.band_ratio, 1) as hi95
    from derived
    left join band_ratios
        on
            derived.derived_model = band_ratios.derived_model
            and derived.cutoff = band_ratios.cutoff

),

final as (

    select
        unique_id,
        ds,
        cutoff,
        model,
        y_hat,
        lo80,
        hi80,
        lo95,
        hi95,
        fallback_reason
    from forecasts
    union all
    select
        unique_id,
        ds,
        cutoff,
        model,
        y_hat,
        lo80,
        hi80,
        lo95,
        hi95,
        fallback_reason
    from bounded

)

select * from final
