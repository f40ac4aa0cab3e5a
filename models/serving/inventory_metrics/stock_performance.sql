with

performance as (

    select * from {{ ref('fct_stock_performance') }}

),

final as (

    select
        summary_level,
        product_count,
        out_of_stock_count,
        out_of_stock_share,
        stock_out_rate,
        stale_count,
        reorder_count,
        total_quantity,
        total_stock_value,
        daily_units_out,
        days_of_supply,
        suggested_order,
        suggested_order_value,
        excess_quantity,
        excess_value,
        slow_quantity,
        slow_value,
        dead_quantity,
        dead_value,
        value_at_risk,
        units_out,
        units_in,
        sell_through,
        average_quantity,
        turnover_rate,
        annualised_turnover,
        out_value,
        average_age_days,
        reading_interval_hours,
        estimated_units_out,
        estimated_undercount,
        coalesce(store_location, 'N/A') as store_location,
        coalesce(category, 'N/A') as category
    from performance

)

select * from final
