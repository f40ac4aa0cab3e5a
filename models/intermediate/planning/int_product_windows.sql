with

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
        lifetimes.closing_quantity,
        lifetimes.first_reading_at,
        lifetimes.last_reading_at,
        {{ flows_known_until(
            'as_of.as_of', 'lifetimes.last_reading_at', 'lifetimes.last_interval_us', 'lifetimes.closing_quantity'
        ) }} as flows_known_until
    from lifetimes
    cross join as_of

),

-- whole days, of which the last may not be over
windows as (

    select
        known.*,
        lengths.window_name,
        cast({{ day_of('known.flows_known_until') }} - lengths.window_days + 1 as timestamp) as starts_at
    from known
    cross join (
        values
        ('demand', {{ var('demand_window_days') }}),
        ('turnover', cast(epoch(interval '{{ var("turnover_window") }}') / 86400 as integer))
    ) as lengths (window_name, window_days)

),

days_inside as (

    select
        windows.store_location,
        windows.product_id,
        windows.window_name,
        product_daily.units_out,
        product_daily.units_in,
        product_daily.opening_units_out,
        product_daily.opening_units_in,
        product_daily.in_stock_us,
        product_daily.unit_us,
        product_daily.observed_us,
        product_daily.restocked_us,
        case when product_daily.observed_us is not null then product_daily.reading_count else 0 end as reading_count,
        product_daily.closing_quantity - product_daily.units_in + product_daily.units_out as opening_quantity,
        -- the interval that ends with the day's first reading may have begun before the window
        epoch_us(product_daily.first_reading_at) - epoch_us(product_daily.last_reading_at) + product_daily.observed_us
            as opening_us,
        greatest(
            epoch_us(windows.starts_at) - epoch_us(product_daily.last_reading_at) + product_daily.observed_us, 0
        ) as before_us
    from product_daily
    inner join windows
        on
            product_daily.store_location = windows.store_location
            and product_daily.product_id = windows.product_id
            and product_daily.event_date >= cast(windows.starts_at as date)

),

-- that interval counts in proportion to its time in the window
cut_days as (

    select
        store_location,
        product_id,
        window_name,
        reading_count,
        observed_us,
        restocked_us,
        in_stock_us as uncut_in_stock_us,
        units_out - opening_units_out * coalesce(before_us / nullif(opening_us, 0), 0) as units_out,
        units_in - opening_units_in * coalesce(before_us / nullif(opening_us, 0), 0) as units_in,
        in_stock_us - case when opening_quantity > 0 then coalesce(before_us, 0) else 0 end as in_stock_us,
        unit_us - cast(opening_quantity as hugeint) * coalesce(before_us, 0) as unit_us
    from days_inside

),

-- over how many days in stock a day's units went out: those since the reading before, at least one
paced_days as (

    select
        *,
        case
            when in_stock_us > 0
                then greatest(uncut_in_stock_us / 86400e6, 1) * in_stock_us / uncut_in_stock_us
        end as pace_days
    from cut_days

),

window_sums as (

    select
        store_location,
        product_id,
        window_name,
        {{ exact_sum('units_out') }} as units_out,
        {{ exact_sum('units_in') }} as units_in,
        {{ exact_sum('units_out * units_out / pace_days') }} as units_out_squared,
        {{ exact_sum('pace_days') }} as pace_days,
        count(pace_days) as pace_count,
        sum(in_stock_us) as in_stock_us,
        sum(unit_us) as unit_us,
        sum(reading_count) as reading_count,
        coalesce(sum(observed_us), 0) as observed_us,
        coalesce(sum(restocked_us), 0) as restocked_us
    from paced_days
    group by store_location, product_id, window_name

),

tracked as (

    select
        windows.store_location,
        windows.product_id,
        windows.window_name,
        windows.closing_quantity,
        cast(coalesce(window_sums.in_stock_us, 0) as bigint) as in_stock_us,
        cast(coalesce(window_sums.reading_count, 0) as bigint) as reading_count,
        cast(coalesce(window_sums.observed_us, 0) as bigint) as observed_us,
        cast(coalesce(window_sums.restocked_us, 0) as bigint) as restocked_us,
        coalesce(window_sums.units_out, 0) as units_out,
        coalesce(window_sums.units_in, 0) as units_in,
        coalesce(window_sums.units_out_squared, 0) as units_out_squared,
        coalesce(window_sums.pace_days, 0) as pace_days,
        coalesce(window_sums.pace_count, 0) as pace_count,
        coalesce(window_sums.unit_us, 0) as unit_us,
        epoch_us(windows.flows_known_until)
        - epoch_us(greatest(windows.first_reading_at, windows.starts_at)) as tracked_us,
        epoch_us(windows.flows_known_until)
        - epoch_us(greatest(windows.last_reading_at, windows.starts_at)) as closing_us,
        case when windows.closing_quantity > 0 then closing_us else 0 end as closing_in_stock_us
    from windows
    left join window_sums
        on
            windows.store_location = window_sums.store_location
            and windows.product_id = window_sums.product_id
            and windows.window_name = window_sums.window_name

),

final as (

    select
        store_location,
        product_id,
        window_name,
        tracked_us,
        units_out,
        units_in,
        reading_count,
        observed_us,
        restocked_us,
        units_out_squared,
        -- each day of a silence whose flows are known is a day without a unit out
        cast(pace_count + ceil(closing_in_stock_us / 86400e6) as bigint) as pace_count,
        pace_days + closing_in_stock_us / 86400e6 as pace_days,
        -- a product that is new in the window opens with its first level
        closing_quantity - units_in + units_out as opening_quantity,
        in_stock_us + closing_in_stock_us as in_stock_us,
        unit_us + cast(closing_quantity as hugeint) * closing_us as unit_us,
        cast(unit_us + cast(closing_quantity as hugeint) * closing_us as double) / nullif(tracked_us, 0)
            as average_quantity
    from tracked

)

select * from final
