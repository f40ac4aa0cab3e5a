with

windows as (

    select * from {{ ref('int_product_windows') }}

),

demand as (

    select
        *,
        in_stock_us / 86400e6 as days_in_stock,
        -- a day or less in stock is too little to know how fast a product sells
        case when in_stock_us > 86400e6 then units_out / (in_stock_us / 86400e6) end as daily_units_out
    from windows
    where window_name = 'demand'

),

final as (

    select
        store_location,
        product_id,
        units_out,
        days_in_stock,
        daily_units_out,
        -- squared differences from the pace, each ÷ the days between its readings; rounding may leave less than 0
        case
            when daily_units_out is not null
                then sqrt(
                    greatest(
                        units_out_squared - 2 * daily_units_out * units_out + power(daily_units_out, 2) * pace_days, 0
                    ) / greatest(pace_count - 1, 1)
                )
        end as daily_units_out_sd
    from demand

)

select * from final
