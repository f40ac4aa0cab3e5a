with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

history as (

    select
        *,
        lag(stock_level) over product_readings as previous_level,
        lead(stock_level) over product_readings as next_level,
        max(quantity) over (product_readings rows between 20 preceding and 1 preceding) as highest_before,
        count(*) over (product_readings rows between 20 preceding and 1 preceding) as readings_before
    from levels
    window
        product_readings as (
            partition by store_location, product_id
            order by event_timestamp
        )

),

negative_stock as (

    select
        'negative_stock' as rule_id,
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as reading_value,
        cast(quantity as double) as observed_value
    from history
    where quantity < 0

),

-- a restock fills the shelf to where it has been before; five times the highest of the last twenty levels does not
quantity_jump as (

    select
        'quantity_jump' as rule_id,
        history.store_location,
        history.category,
        history.product_id,
        history.event_timestamp,
        history.quantity as reading_value,
        history.quantity / greatest(history.highest_before, 4) as observed_value
    from history
    inner join rules
        on rules.rule_id = 'quantity_jump'
    where
        not history.is_suspect
        and history.readings_before >= 5
        and history.quantity > rules.limit_value * greatest(history.highest_before, 4)

),

returned_spike as (

    select
        'returned_spike' as rule_id,
        store_location,
        category,
        product_id,
        event_timestamp,
        quantity as reading_value,
        stock_level / greatest(previous_level, next_level) as observed_value
    from history
    where is_suspect

),

final as (

    select * from negative_stock
    union all
    select * from quantity_jump
    union all
    select * from returned_spike

)

select * from final
