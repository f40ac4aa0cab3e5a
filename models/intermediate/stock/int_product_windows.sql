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

-- whole days, today so far among them
windows as (

    select
        lengths.window_name,
        as_of.as_of,
        cast({{ day_of('as_of.as_of') }} - lengths.window_days + 1 as timestamp) as starts_at
    from as_of
    cross join (
        values
        ('demand', {{ var('demand_window_days') }}),
        ('turnover', cast(epoch(interval '{{ var("turnover_window") }}') / 86400 as integer))
    ) as lengths (window_name, window_days)

),

days_inside as (

    select
        product_daily.store_location,
        product_daily.product_id,
        windows.window_name,
        sum(product_daily.units_out) as units_out,
        sum(product_daily.units_in) as units_in,
        sum(product_daily.in_stock_us) as in_stock_us,
        sum(product_daily.unit_us) as unit_us,
        coalesce(sum(product_daily.reading_count) filter (where product_daily.observed_us is not null), 0)
            as reading_count,
        coalesce(sum(product_daily.observed_us), 0) as observed_us,
        coalesce(sum(product_daily.restocked_us), 0) as restocked_us,
        sum(cast(product_daily.units_out as hugeint) * product_daily.units_out) as units_out_squared,
        count(*) filter (where product_daily.units_out > 0) as days_with_units_out,
        arg_min_null(product_daily.opening_quantity, product_daily.event_date) as opening_quantity,
        arg_min_null(product_daily.opened_at, product_daily.event_date) as opened_at,
        arg_min(product_daily.first_quantity, product_daily.event_date) as first_quantity
    from product_daily
    inner join windows
        on product_daily.event_date >= cast(windows.starts_at as date)
    group by product_daily.store_location, product_daily.product_id, windows.window_name

),

-- a product that is new in the window opens with its first level
opened as (

    select
        lifetimes.store_location,
        lifetimes.product_id,
        lifetimes.closing_quantity,
        windows.window_name,
        days_inside.units_out,
        days_inside.units_in,
        days_inside.in_stock_us,
        days_inside.unit_us,
        days_inside.reading_count,
        days_inside.observed_us,
        days_inside.restocked_us,
        days_inside.units_out_squared,
        days_inside.days_with_units_out,
        case
            when days_inside.window_name is null then lifetimes.closing_quantity
            else coalesce(days_inside.opening_quantity, days_inside.first_quantity)
        end as opening_quantity,
        epoch_us(windows.as_of) - epoch_us(greatest(lifetimes.first_reading_at, windows.starts_at)) as tracked_us,
        -- what the first reading inside is credited with may have begun before the window
        coalesce(greatest(epoch_us(windows.starts_at) - epoch_us(days_inside.opened_at), 0), 0) as before_us,
        epoch_us(windows.as_of) - epoch_us(greatest(lifetimes.last_reading_at, windows.starts_at)) as closing_us
    from lifetimes
    cross join windows
    left join days_inside
        on
            lifetimes.store_location = days_inside.store_location
            and lifetimes.product_id = days_inside.product_id
            and windows.window_name = days_inside.window_name

),

final as (

    select
        store_location,
        product_id,
        window_name,
        opening_quantity,
        tracked_us,
        cast(coalesce(units_out, 0) as bigint) as units_out,
        cast(coalesce(units_in, 0) as bigint) as units_in,
        cast(
            coalesce(in_stock_us, 0)
            - case when opening_quantity > 0 then before_us else 0 end
            + case when closing_quantity > 0 then closing_us else 0 end as bigint
        ) as in_stock_us,
        cast(coalesce(reading_count, 0) as bigint) as reading_count,
        cast(coalesce(observed_us, 0) as bigint) as observed_us,
        cast(coalesce(restocked_us, 0) as bigint) as restocked_us,
        coalesce(units_out_squared, 0) as units_out_squared,
        coalesce(days_with_units_out, 0) as days_with_units_out,
        coalesce(unit_us, 0)
        - cast(opening_quantity as hugeint) * before_us
        + cast(closing_quantity as hugeint) * closing_us as unit_us
    from opened

)

select * from final
