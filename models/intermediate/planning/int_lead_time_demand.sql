with

product_forecasts as (

    select * from {{ ref('int_product_forecasts') }}

),

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

current_stock as (

    select
        store_location,
        category,
        product_id,
        {{ series_id('store_location', 'product_id') }} as unique_id,
        -- a delivery on the way takes whole days
        cast(least(ceil(lead_time_days), {{ var('forecast_horizon') }}) as integer) as lead_days
    from {{ ref('int_current_stock') }}

),

expected as (

    select
        current_stock.store_location,
        current_stock.category,
        current_stock.product_id,
        cast(product_forecasts.cutoff as date) as cutoff_date,
        cast(product_forecasts.cutoff as date) + any_value(current_stock.lead_days) as last_date,
        {{ exact_sum('product_forecasts.units_out') }} as expected_units
    from current_stock
    inner join product_forecasts
        on
            current_stock.unique_id = product_forecasts.unique_id
            and cast(product_forecasts.ds as date) <= cast(product_forecasts.cutoff as date) + current_stock.lead_days
    group by current_stock.store_location, current_stock.category, current_stock.product_id, product_forecasts.cutoff

),

-- products that sell alike err alike; a class spans a factor of four
classed as (

    select
        *,
        greatest(floor(ln(expected_units) / ln(4)), -1) as demand_class,
        sqrt(greatest(expected_units, 0.25)) as demand_scale
    from expected
    where expected_units > 0

),

-- windows that are over, of shelves that were full enough: what an empty one would have sold is not known
actuals as (

    select
        classed.store_location,
        classed.product_id,
        classed.cutoff_date,
        classed.category,
        classed.demand_class,
        (sum(product_daily.units_out) filter (
            where product_daily.event_date > classed.cutoff_date and product_daily.event_date <= classed.last_date
        ) - any_value(classed.expected_units)) / any_value(classed.demand_scale) as scaled_error
    from classed
    inner join product_daily
        on
            classed.store_location = product_daily.store_location
            and classed.product_id = product_daily.product_id
            and product_daily.event_date > classed.cutoff_date - 28
    group by
        classed.store_location, classed.product_id, classed.cutoff_date, classed.category, classed.demand_class
    having
        max(product_daily.event_date) >= any_value(classed.last_date)
        and arg_max(product_daily.closing_quantity, product_daily.event_date) filter (
            where product_daily.event_date <= classed.cutoff_date
        ) >= 2 * any_value(classed.expected_units) + 3

),

-- the more alike, the better, as long as there are enough of them: of the category, of all, whatever they sell
pooled as (

    select
        *,
        unnest([1, 2, 3]) as pool_rank
    from actuals
    where scaled_error is not null

),

pools as (

    select
        pool_rank,
        scaled_error,
        case when pool_rank = 1 then category end as category,
        case when pool_rank <= 2 then demand_class end as demand_class
    from pooled

),

error_quantiles as (

    select
        pool_rank,
        category,
        demand_class,
        quantile_cont(scaled_error, list_transform(range(1, 100), lambda percent: percent / 100)) as error_quantiles
    from pools
    group by pool_rank, category, demand_class
    having count(*) >= {{ var('lead_time_errors') }}

),

newest as (

    select
        classed.*,
        error_quantiles.error_quantiles
    from classed
    inner join error_quantiles
        on
            classed.category = coalesce(error_quantiles.category, classed.category)
            and classed.demand_class = coalesce(error_quantiles.demand_class, classed.demand_class)
    qualify
        classed.cutoff_date = max(classed.cutoff_date) over ()
        and row_number() over (
            partition by classed.store_location, classed.product_id, classed.cutoff_date
            order by error_quantiles.pool_rank
        ) = 1

),

final as (

    select
        store_location,
        product_id,
        cutoff_date,
        expected_units,
        list_transform(
            error_quantiles,
            lambda error_quantile: greatest(round(expected_units + error_quantile * demand_scale, 6), 0)
        ) as demand_quantiles
    from newest

)

select * from final
