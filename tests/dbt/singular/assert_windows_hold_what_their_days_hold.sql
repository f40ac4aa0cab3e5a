-- Catches a window that loses or invents flows. It holds the flows of its days. Of its first day with readings it may
-- hold only a part, since those flows go back to the reading before. A row is a product whose window holds less or
-- more. Sums of parts are rounded to the billionth of a unit.
with

windows as (

    select * from {{ ref('int_product_windows') }}

),

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

lifetimes as (

    select * from {{ ref('int_product_lifetimes') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

known as (

    select
        lifetimes.store_location,
        lifetimes.product_id,
        {{ day_of(flows_known_until(
            'as_of.as_of', 'lifetimes.last_reading_at', 'lifetimes.last_interval_us', 'lifetimes.closing_quantity'
        )) }} as flows_known_date
    from lifetimes
    cross join as_of

),

days as (

    select
        known.store_location,
        known.product_id,
        sum(product_daily.units_out) as units_out,
        sum(product_daily.units_in) as units_in,
        arg_min(product_daily.opening_units_out, product_daily.event_date) as opening_units_out,
        arg_min(product_daily.opening_units_in, product_daily.event_date) as opening_units_in
    from known
    inner join product_daily
        on
            known.store_location = product_daily.store_location
            and known.product_id = product_daily.product_id
            and product_daily.event_date > known.flows_known_date - {{ var('demand_window_days') }}
    group by known.store_location, known.product_id

)

select
    windows.store_location,
    windows.product_id,
    windows.units_out,
    windows.units_in,
    days.units_out as units_out_of_days,
    days.units_in as units_in_of_days
from windows
left join days
    on
        windows.store_location = days.store_location
        and windows.product_id = days.product_id
where
    windows.window_name = 'demand'
    and (
        windows.units_out > coalesce(days.units_out, 0) + 1e-9
        or windows.units_in > coalesce(days.units_in, 0) + 1e-9
        or windows.units_out < coalesce(days.units_out - days.opening_units_out, 0) - 1e-9
        or windows.units_in < coalesce(days.units_in - days.opening_units_in, 0) - 1e-9
    )
