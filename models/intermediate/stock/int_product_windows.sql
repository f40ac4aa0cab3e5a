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
        count(*) filter (where product_daily.units_out > 0) as days_with_units_out
    from product_daily
    inner join windows
        on product_daily.event_date >= cast(windows.starts_at as date)
    group by product_daily.store_location, product_daily.product_id, windows.window_name

),

tracked as (

    select
        lifetimes.store_location,
        lifetimes.product_id,
        lifetimes.closing_quantity,
        windows.window_name,
        cast(coalesce(days_inside.units_out, 0) as bigint) as units_out,
        cast(coalesce(days_inside.units_in, 0) as bigint) as units_in,
        cast(coalesce(days_inside.in_stock_us, 0) as bigint) as in_stock_us,
        cast(coalesce(days_inside.reading_count, 0) as bigint) as reading_count,
        cast(coalesce(days_inside.observed_us, 0) as bigint) as observed_us,
        cast(coalesce(days_inside.restocked_us, 0) as bigint) as restocked_us,
        coalesce(days_inside.unit_us, 0) as unit_us,
        coalesce(days_inside.units_out_squared, 0) as units_out_squared,
        coalesce(days_inside.days_with_units_out, 0) as days_with_units_out,
        epoch_us(windows.as_of) - epoch_us(greatest(lifetimes.first_reading_at, windows.starts_at)) as tracked_us,
        epoch_us(lifetimes.last_reading_at) - epoch_us(windows.starts_at) as start_to_last_reading_us,
        epoch_us(windows.as_of) - epoch_us(lifetimes.last_reading_at) as closing_us
    from lifetimes
    cross join windows
    left join days_inside
        on
            lifetimes.store_location = days_inside.store_location
            and lifetimes.product_id = days_inside.product_id
            and windows.window_name = days_inside.window_name

),

opened as (

    select
        *,
        -- the level that stood into the window; a product that is new in it opens with its first
        closing_quantity - units_in + units_out as opening_quantity,
        -- what the readings inside are credited with may begin before the window, and so may the time since the last
        greatest(observed_us - start_to_last_reading_us, 0) as before_us
    from tracked

),

final as (

    select
        store_location,
        product_id,
        window_name,
        opening_quantity,
        tracked_us,
        units_out,
        units_in,
        reading_count,
        observed_us,
        restocked_us,
        units_out_squared,
        days_with_units_out,
        in_stock_us
        - case when opening_quantity > 0 then before_us else 0 end
        + case when closing_quantity > 0 then closing_us else 0 end as in_stock_us,
        unit_us
        - cast(opening_quantity as hugeint) * before_us
        + cast(closing_quantity as hugeint) * closing_us as unit_us
    from opened

)

select * from final
