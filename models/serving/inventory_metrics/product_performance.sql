with

performance as (

    select * from {{ ref('fct_product_performance') }}

),

final as (

    select
        store_location,
        category,
        product_id,
        product_name,
        quantity,
        units_out,
        units_in,
        sell_through,
        out_of_stock_hours,
        stock_out_rate,
        average_quantity,
        turnover_rate,
        annualised_turnover,
        out_value,
        abc_class,
        weekly_variation,
        xyz_class,
        average_age_days,
        reading_interval_hours,
        estimated_units_out,
        estimated_undercount
    from performance

)

select * from final
