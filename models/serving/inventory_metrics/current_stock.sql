{{ config(tags=['frequent']) }}

with

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

performance as (

    select * from {{ ref('fct_product_performance') }}

),

stores as (

    select * from {{ ref('dim_stores') }}

),

final as (

    select
        current_stock.store_location,
        stores.region,
        current_stock.category,
        current_stock.product_id,
        current_stock.product_name,
        current_stock.unit,
        current_stock.supplier,
        current_stock.quantity,
        current_stock.on_order,
        current_stock.inventory_position,
        current_stock.price,
        current_stock.unit_cost,
        current_stock.stock_value,
        current_stock.daily_units_out,
        current_stock.daily_units_out_sd,
        current_stock.days_of_supply,
        current_stock.lead_time_days,
        current_stock.lead_time_sd_days,
        current_stock.lead_time_from,
        current_stock.review_period_days,
        current_stock.service_z,
        current_stock.safety_stock,
        current_stock.reorder_point,
        current_stock.order_up_to_level,
        current_stock.lead_time_demand,
        current_stock.lead_time_demand_95,
        current_stock.stock_out_probability,
        current_stock.pack_size,
        current_stock.minimum_order,
        current_stock.suggested_order,
        current_stock.order_cost,
        current_stock.order_cost_from,
        current_stock.excess_quantity,
        current_stock.excess_value,
        current_stock.days_without_out,
        current_stock.missed_units,
        current_stock.value_at_risk,
        current_stock.movement,
        current_stock.status,
        performance.abc_class,
        current_stock.is_stale,
        current_stock.is_out_of_stock,
        current_stock.last_reading_at,
        current_stock.stale_at,
        current_stock.next_delivery_at,
        current_stock.sell_out_date,
        current_stock.planned_at
    from current_stock
    left join stores
        on current_stock.store_location = stores.store_location
    left join performance
        on
            current_stock.store_location = performance.store_location
            and current_stock.product_id = performance.product_id

)

select * from final
