with

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

windows as (

    select * from {{ ref('int_product_windows') }}

),

history as (

    select * from {{ ref('int_product_history') }}

),

ageing as (

    select * from {{ ref('fct_stock_ageing') }}

),

ages as (

    select
        store_location,
        product_id,
        sum(unit_days) as unit_days
    from ageing
    group by store_location, product_id

),

measured as (

    select
        current_stock.store_location,
        current_stock.category,
        current_stock.product_id,
        current_stock.product_name,
        current_stock.quantity,
        demand.opening_quantity,
        demand.units_out,
        demand.units_in,
        demand.tracked_us,
        demand.reading_count,
        demand.observed_us,
        demand.restocked_us,
        turnover.units_out as turnover_units_out,
        turnover.tracked_us as turnover_us,
        turnover.unit_us,
        history.history_days,
        history.out_value,
        history.weekly_variation,
        ages.unit_days as age_unit_days,
        demand.tracked_us - demand.in_stock_us as out_of_stock_us,
        -- over a span that shrinks to nothing the average is the level itself
        coalesce(turnover.average_quantity, current_stock.quantity) as average_quantity
    from current_stock
    inner join windows as demand
        on
            demand.window_name = 'demand'
            and current_stock.store_location = demand.store_location
            and current_stock.product_id = demand.product_id
    inner join windows as turnover
        on
            turnover.window_name = 'turnover'
            and current_stock.store_location = turnover.store_location
            and current_stock.product_id = turnover.product_id
    inner join history
        on
            current_stock.store_location = history.store_location
            and current_stock.product_id = history.product_id
    left join ages
        on
            current_stock.store_location = ages.store_location
            and current_stock.product_id = ages.product_id

),

-- the products that sell most first: which share of the store's out-value do those before this one make up?
ranked as (

    select
        *,
        coalesce(
            sum(out_value) over (
                partition by store_location
                order by out_value desc nulls last, product_id asc
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as out_value_before,
        sum(out_value) over (partition by store_location) as store_out_value
    from measured

),

-- Where stock rose between two readings, what went out is not seen. The estimate assumes that it went out at the pace
-- of the other intervals.
estimated as (

    select
        *,
        units_out / nullif(1 - restocked_us / nullif(observed_us, 0), 0) as estimated_units_out
    from ranked

),

final as (

    select
        store_location,
        category,
        product_id,
        product_name,
        quantity,
        opening_quantity,
        units_out,
        units_in,
        turnover_units_out,
        average_quantity,
        history_days,
        cast(out_value as double) as out_value,
        weekly_variation,
        reading_count,
        estimated_units_out,
        -- rounding may leave a little more than all
        case
            when opening_quantity + units_in > 0 then least(units_out / (opening_quantity + units_in), 1)
        end as sell_through,
        tracked_us / 3600e6 as tracked_hours,
        out_of_stock_us / 3600e6 as out_of_stock_hours,
        out_of_stock_us / nullif(tracked_us, 0) as stock_out_rate,
        cast(unit_us as double) / 86400e6 as turnover_unit_days,
        turnover_us / 86400e6 as turnover_days,
        turnover_units_out / nullif(average_quantity, 0) as turnover_rate,
        case
            when turnover_us >= 7 * 86400e6
                then turnover_units_out / nullif(average_quantity, 0) * 365 * 86400e6 / turnover_us
        end as annualised_turnover,
        case
            when out_value is null then null
            when out_value_before >= 0.95 * store_out_value or out_value = 0 then 'C'
            when out_value_before >= 0.8 * store_out_value then 'B'
            else 'A'
        end as abc_class,
        case
            when weekly_variation < 0.5 then 'X'
            when weekly_variation < 1 then 'Y'
            when weekly_variation is not null then 'Z'
        end as xyz_class,
        cast(age_unit_days as double) / nullif(quantity, 0) as average_age_days,
        observed_us / 3600e6 as observed_hours,
        observed_us / 3600e6 / nullif(reading_count, 0) as reading_interval_hours,
        1 - units_out / nullif(estimated_units_out, 0) as estimated_undercount
    from estimated

)

select * from final
