with

product_daily as (

    select * from {{ ref('int_product_daily') }}

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

-- the days in the window, and the last day before it as far as its level stands into it
days as (

    select
        product_daily.*,
        windows.window_name,
        product_daily.first_reading_at > windows.starts_at as is_inside,
        epoch_us(coalesce(product_daily.next_reading_at, windows.as_of))
        - epoch_us(greatest(product_daily.last_reading_at, windows.starts_at)) as closing_us
    from product_daily
    cross join windows
    where coalesce(product_daily.next_reading_at, windows.as_of) > windows.starts_at

),

final as (

    select
        store_location,
        product_id,
        window_name,
        cast(coalesce(sum(units_out) filter (where is_inside), 0) as bigint) as units_out,
        cast(coalesce(sum(units_in) filter (where is_inside), 0) as bigint) as units_in,
        cast(
            sum(
                case when is_inside then epoch_us(last_reading_at) - epoch_us(first_reading_at) else 0 end + closing_us
            ) as bigint
        ) as tracked_us,
        cast(
            sum(
                case when is_inside then in_stock_us else 0 end
                + case when closing_quantity > 0 then closing_us else 0 end
            ) as bigint
        ) as in_stock_us,
        cast(coalesce(sum(reading_count) filter (where is_inside and observed_us is not null), 0) as bigint)
            as reading_count,
        cast(coalesce(sum(observed_us) filter (where is_inside), 0) as bigint) as observed_us,
        cast(coalesce(sum(restocked_us) filter (where is_inside), 0) as bigint) as restocked_us,
        -- a product that is new in the window opens with its first level
        arg_min(case when is_inside then first_quantity else closing_quantity end, event_date) as opening_quantity,
        coalesce(sum(cast(units_out as hugeint) * units_out) filter (where is_inside), 0) as units_out_squared,
        count(*) filter (where is_inside and units_out > 0) as days_with_units_out,
        sum(case when is_inside then unit_us else 0 end + cast(closing_quantity as hugeint) * closing_us) as unit_us
    from days
    group by store_location, product_id, window_name

)

select * from final
