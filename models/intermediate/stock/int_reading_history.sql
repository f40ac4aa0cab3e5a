with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

-- a level below zero and a spike that came back are no past to judge others by
judged as (

    select
        *,
        case when not is_suspect and quantity >= 0 then quantity end as believed_quantity,
        case when reported_price > 0 then reported_price end as believed_price
    from levels

),

past as (

    select
        *,
        last_value(believed_quantity ignore nulls) over all_before as previous_quantity,
        lead(stock_level) over product_readings as next_level,
        lag(stock_level) over product_readings as previous_level,
        max(believed_quantity) over last_twenty as highest_quantity_before,
        count(believed_quantity) over last_twenty as quantities_before,
        min(believed_price) over last_twenty as lowest_price_before,
        max(believed_price) over last_twenty as highest_price_before,
        count(believed_price) over last_twenty as prices_before
    from judged
    window
        product_readings as (
            partition by store_location, product_id
            order by event_timestamp
        ),
        all_before as (product_readings rows between unbounded preceding and 1 preceding),
        last_twenty as (product_readings rows between 20 preceding and 1 preceding)

),

moves as (

    select
        *,
        greatest(previous_quantity - believed_quantity, 0) as units_fallen,
        greatest(believed_quantity - previous_quantity, 0) as units_risen,
        -- five readings say what is usual; below four units any delivery is many times more
        case
            when not is_suspect and quantities_before >= 5 then quantity / greatest(highest_quantity_before, 4)
        end as times_highest_before
    from past

),

final as (

    select
        store_location,
        product_id,
        category,
        quantity,
        stock_level,
        reported_price,
        price,
        is_suspect,
        event_timestamp,
        previous_level,
        next_level,
        units_fallen,
        units_risen,
        quantities_before,
        lowest_price_before,
        highest_price_before,
        prices_before,
        times_highest_before,
        max(units_fallen) over last_twenty as largest_fall_before,
        max(units_risen) over last_twenty as largest_rise_before,
        count(nullif(units_risen, 0)) over last_twenty as rises_before,
        lag(times_highest_before) over product_readings as previous_times_highest_before
    from moves
    window
        product_readings as (
            partition by store_location, product_id
            order by event_timestamp
        ),
        last_twenty as (product_readings rows between 20 preceding and 1 preceding)

)

select * from final
