{{ config(materialized='view') }}

with

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

lead_time_demand as (

    select * from {{ ref('int_lead_time_demand') }}

),

with_demand as (

    select
        current_stock.*,
        lead_time_demand.expected_units as lead_time_demand,
        lead_time_demand.demand_quantiles
    from current_stock
    left join lead_time_demand
        on
            current_stock.store_location = lead_time_demand.store_location
            and current_stock.product_id = lead_time_demand.product_id

),

final as (

    select
        store_location,
        category,
        product_id,
        product_name,
        unit,
        supplier,
        quantity,
        on_order,
        inventory_position,
        next_delivery_at,
        price,
        unit_cost,
        stock_value,
        last_reading_at,
        stale_at,
        is_stale,
        is_out_of_stock,
        daily_units_out,
        daily_units_out_sd,
        days_of_supply,
        sell_out_date,
        lead_time_days,
        lead_time_sd_days,
        lead_time_from,
        review_period_days,
        service_z,
        safety_stock,
        reorder_point,
        order_up_to_level,
        pack_size,
        minimum_order,
        suggested_order,
        order_cost,
        order_cost_from,
        excess_quantity,
        excess_value,
        days_without_out,
        missed_units,
        value_at_risk,
        movement,
        status,
        planned_at,
        lead_time_demand,
        demand_quantiles[95] as lead_time_demand_95,
        case
            when quantity = 0 then 1
            -- the share of likely demands that the shelf, with what is due, does not outlast
            else
                len(list_filter(demand_quantiles, lambda demand: demand >= quantity + due_quantity))
                / len(demand_quantiles)
        end as stock_out_probability
    from with_demand

)

select * from final
