with

windows as (

    select * from {{ ref('int_product_windows') }}

),

-- in stock for a day or less says nothing about how fast a product goes
measured as (

    select
        store_location,
        product_id,
        units_out,
        units_out_squared,
        in_stock_us / 86400e6 as days_in_stock,
        greatest(ceil(in_stock_us / 86400e6), days_with_units_out) as days_counted
    from windows
    where window_name = 'demand'

),

final as (

    select
        store_location,
        product_id,
        units_out,
        days_in_stock,
        case when days_in_stock > 1 then units_out / days_in_stock end as daily_units_out,
        -- days in stock without a unit out are zeros among the days; days without stock are none
        case
            when days_in_stock > 1
                then sqrt(
                    (days_counted * units_out_squared - cast(units_out as hugeint) * units_out)
                    / (days_counted * (days_counted - 1))
                )
        end as daily_units_out_sd
    from measured

)

select * from final
