with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

reading_history as (

    select * from {{ ref('int_reading_history') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

jumps as (

    select
        reading_history.store_location,
        reading_history.product_id,
        reading_history.event_timestamp
    from reading_history
    inner join rules
        on rules.rule_id = 'quantity_jump'
    where reading_history.times_highest_before >= rules.limit_value

),

-- windows sort numbers faster than names
products as materialized (

    select
        store_location,
        product_id,
        cast(row_number() over () as integer) as product
    from levels
    group by store_location, product_id

),

-- what falls from a level that was never on the shelf is no demand
plausible_readings as (

    select
        products.product,
        levels.category,
        levels.event_timestamp,
        levels.stock_level,
        levels.price
    from levels
    inner join products
        on
            levels.store_location = products.store_location
            and levels.product_id = products.product_id
    anti join jumps
        on
            levels.store_location = jumps.store_location
            and levels.product_id = jumps.product_id
            and levels.event_timestamp = jumps.event_timestamp
    where not levels.is_suspect

),

steps as (

    select
        product,
        category,
        event_timestamp,
        stock_level,
        price,
        {{ day_of('event_timestamp') }} as event_date,
        lag(stock_level) over product_readings as previous_level,
        lag(event_timestamp) over product_readings as previous_event_timestamp,
        lead(event_timestamp) over product_readings as next_event_timestamp
    from plausible_readings
    window
        product_readings as (
            partition by product
            order by event_timestamp
        )

),

-- flows and the time since the reading before are credited to the later reading; a level stands until the next one
flows as (

    select
        *,
        coalesce(greatest(previous_level - stock_level, 0), 0) as units_out,
        coalesce(greatest(stock_level - previous_level, 0), 0) as units_in,
        epoch_us(event_timestamp) - epoch_us(previous_event_timestamp) as since_previous_us,
        case
            when {{ day_of('next_event_timestamp') }} = event_date
                then epoch_us(next_event_timestamp) - epoch_us(event_timestamp)
            else 0
        end as within_day_us
    from steps

),

days as (

    select
        product,
        event_date,
        cast(sum(units_out) as bigint) as units_out,
        cast(sum(units_in) as bigint) as units_in,
        cast(sum(case when stock_level > 0 then within_day_us else 0 end) as bigint) as in_stock_us,
        cast(sum(since_previous_us) as bigint) as observed_us,
        cast(sum(since_previous_us) filter (where units_in > 0) as bigint) as restocked_us,
        arg_max(category, event_timestamp) as category,
        arg_min(stock_level, event_timestamp) as first_quantity,
        arg_max(stock_level, event_timestamp) as closing_quantity,
        count(*) as reading_count,
        sum(units_out * price) as out_value,
        sum(cast(stock_level as hugeint) * within_day_us) as unit_us,
        max(since_previous_us) as longest_gap_us,
        min(event_timestamp) as first_reading_at,
        max(event_timestamp) as last_reading_at,
        max(event_timestamp) filter (where stock_level = 0 and coalesce(previous_level, 1) > 0) as emptied_at,
        arg_max_null(next_event_timestamp, event_timestamp) as next_reading_at
    from flows
    group by product, event_date

),

final as (

    select
        products.store_location,
        products.product_id,
        days.event_date,
        days.units_out,
        days.units_in,
        days.in_stock_us,
        days.observed_us,
        days.restocked_us,
        days.category,
        days.first_quantity,
        days.closing_quantity,
        days.reading_count,
        days.out_value,
        days.unit_us,
        days.longest_gap_us,
        days.first_reading_at,
        days.last_reading_at,
        days.emptied_at,
        days.next_reading_at
    from days
    inner join products
        on days.product = products.product

)

select * from final
