with

readings as (

    select * from {{ ref('int_distinct_readings') }}

),

-- two values for one moment: the later arrival is believed
believed_readings as (

    select *
    from readings
    qualify
        row_number() over (
            partition by store_location, product_id, event_timestamp
            order by arrival desc
        ) = 1

),

levels as (

    select
        store_location,
        product_id,
        category,
        event_timestamp,
        quantity,
        greatest(quantity, 0) as stock_level,
        last_value(price ignore nulls) over (
            partition by store_location, product_id
            order by event_timestamp
            rows between unbounded preceding and current row
        ) as price
    from believed_readings

),

neighbours as (

    select
        *,
        lag(stock_level) over product_readings as previous_level,
        lead(stock_level) over product_readings as next_level,
        lead(event_timestamp) over product_readings as next_event_timestamp
    from levels
    window
        product_readings as (
            partition by store_location, product_id
            order by event_timestamp
        )

),

final as (

    select
        store_location,
        product_id,
        category,
        event_timestamp,
        quantity,
        stock_level,
        price,
        coalesce(
            previous_level > 0
            and next_level > 0
            and stock_level >= 10 * greatest(previous_level, next_level)
            and abs(next_level - previous_level) <= 0.2 * previous_level
            and next_event_timestamp <= event_timestamp + interval '48 hours',
            false
        ) as is_suspect
    from neighbours

)

select * from final
