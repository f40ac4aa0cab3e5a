with

performance as (

    select * from {{ ref('fct_stock_performance') }}

),

stores as (

    select * from {{ ref('dim_stores') }}

),

final as (

    select
        performance.summary_level,
        performance.product_count,
        performance.out_of_stock_count,
        performance.out_of_stock_share,
        performance.stock_out_rate,
        performance.stale_count,
        performance.reorder_count,
        performance.total_quantity,
        performance.total_stock_value,
        performance.daily_units_out,
        performance.days_of_supply,
        performance.suggested_order,
        performance.order_cost,
        performance.excess_quantity,
        performance.excess_value,
        performance.slow_quantity,
        performance.slow_value,
        performance.dead_quantity,
        performance.dead_value,
        performance.value_at_risk,
        performance.units_out,
        performance.units_in,
        performance.sell_through,
        performance.average_quantity,
        performance.turnover_rate,
        performance.annualised_turnover,
        performance.out_value,
        performance.average_age_days,
        performance.reading_interval_hours,
        performance.estimated_units_out,
        performance.estimated_undercount,
        coalesce(performance.store_location, 'N/A') as store_location,
        coalesce(stores.region, 'N/A') as region,
        coalesce(performance.category, 'N/A') as category
    from performance
    left join stores
        on performance.store_location = stores.store_location

)

select * from final
