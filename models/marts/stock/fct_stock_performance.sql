{{ config(tags=['across_stores']) }}

with

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

product_performance as (

    select * from {{ ref('fct_product_performance') }}

),

products as (

    select
        current_stock.store_location,
        current_stock.category,
        current_stock.product_id,
        current_stock.quantity,
        current_stock.price,
        current_stock.stock_value,
        current_stock.is_stale,
        current_stock.is_out_of_stock,
        current_stock.daily_units_out,
        current_stock.safety_stock,
        current_stock.reorder_point,
        current_stock.suggested_order,
        current_stock.order_cost,
        current_stock.excess_quantity,
        current_stock.excess_value,
        current_stock.value_at_risk,
        current_stock.movement,
        current_stock.status,
        product_performance.opening_quantity,
        product_performance.units_out,
        product_performance.units_in,
        product_performance.tracked_hours,
        product_performance.out_of_stock_hours,
        product_performance.turnover_units_out,
        product_performance.turnover_unit_days,
        product_performance.turnover_days,
        product_performance.out_value,
        product_performance.average_age_days,
        product_performance.reading_count,
        product_performance.observed_hours,
        product_performance.estimated_units_out
    from current_stock
    inner join product_performance
        on
            current_stock.store_location = product_performance.store_location
            and current_stock.product_id = product_performance.product_id

),

-- every figure is a sum over products, so that each ratio is a ratio of sums and not a mean of ratios
summed as (

    select
        store_location,
        category,
        case grouping(store_location, category)
            when 0 then 'store and category'
            when 1 then 'store'
            else 'company'
        end as summary_level,
        count(*) as product_count,
        count(*) filter (where is_out_of_stock) as out_of_stock_count,
        count(*) filter (where is_stale) as stale_count,
        count(*) filter (where status in ('runs out before delivery', 'reorder')) as reorder_count,
        cast(sum(quantity) as bigint) as total_quantity,
        {{ exact_sum('stock_value') }} as total_stock_value,
        {{ exact_sum('daily_units_out') }} as daily_units_out,
        {{ exact_sum('safety_stock') }} as safety_stock,
        {{ exact_sum('reorder_point') }} as reorder_point,
        cast(sum(suggested_order) as bigint) as suggested_order,
        {{ exact_sum('order_cost') }} as order_cost,
        cast(sum(excess_quantity) as bigint) as excess_quantity,
        {{ exact_sum('excess_value') }} as excess_value,
        cast(coalesce(sum(quantity) filter (where movement = 'slow'), 0) as bigint) as slow_quantity,
        case
            when slow_quantity = 0 then 0
            else {{ exact_sum("case when movement = 'slow' then stock_value end") }}
        end as slow_value,
        cast(coalesce(sum(quantity) filter (where movement = 'dead'), 0) as bigint) as dead_quantity,
        case
            when dead_quantity = 0 then 0
            else {{ exact_sum("case when movement = 'dead' then stock_value end") }}
        end as dead_value,
        {{ exact_sum('value_at_risk') }} as value_at_risk,
        {{ exact_sum('opening_quantity') }} as opening_quantity,
        {{ exact_sum('units_out') }} as units_out,
        {{ exact_sum('units_in') }} as units_in,
        {{ exact_sum('tracked_hours') }} as tracked_hours,
        {{ exact_sum('out_of_stock_hours') }} as out_of_stock_hours,
        {{ exact_sum('turnover_units_out') }} as turnover_units_out,
        {{ exact_sum('turnover_unit_days') }} as turnover_unit_days,
        max(turnover_days) as turnover_days,
        {{ exact_sum('out_value') }} as out_value,
        {{ exact_sum('average_age_days * quantity') }} as age_unit_days,
        cast(sum(reading_count) as bigint) as reading_count,
        {{ exact_sum('observed_hours') }} as observed_hours,
        {{ exact_sum('coalesce(estimated_units_out, units_out)') }} as estimated_units_out
    from products
    group by rollup(store_location, category)

),

averaged as (

    select
        *,
        coalesce(turnover_unit_days / nullif(turnover_days, 0), total_quantity) as average_quantity
    from summed
    where product_count > 0

),

final as (

    select
        summary_level,
        store_location,
        category,
        product_count,
        out_of_stock_count,
        stale_count,
        reorder_count,
        total_quantity,
        total_stock_value,
        daily_units_out,
        safety_stock,
        reorder_point,
        suggested_order,
        order_cost,
        excess_quantity,
        excess_value,
        slow_quantity,
        slow_value,
        dead_quantity,
        dead_value,
        value_at_risk,
        opening_quantity,
        units_out,
        units_in,
        average_quantity,
        out_value,
        estimated_units_out,
        out_of_stock_count / product_count as out_of_stock_share,
        out_of_stock_hours / nullif(tracked_hours, 0) as stock_out_rate,
        total_quantity / nullif(daily_units_out, 0) as days_of_supply,
        -- rounding may leave a little more than all
        case
            when opening_quantity + units_in > 0 then least(units_out / (opening_quantity + units_in), 1)
        end as sell_through,
        turnover_units_out / nullif(average_quantity, 0) as turnover_rate,
        case
            when turnover_days >= 7
                then turnover_units_out / nullif(average_quantity, 0) * 365 / turnover_days
        end as annualised_turnover,
        age_unit_days / nullif(total_quantity, 0) as average_age_days,
        observed_hours / nullif(reading_count, 0) as reading_interval_hours,
        1 - units_out / nullif(estimated_units_out, 0) as estimated_undercount
    from averaged

)

select * from final
