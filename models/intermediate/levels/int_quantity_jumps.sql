with

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
        reading_history.event_timestamp,
        reading_history.previous_quantity,
        reading_history.previous_reading_at,
        coalesce(
            reading_history.previous_reading_at = lag(reading_history.event_timestamp) over (
                partition by reading_history.store_location, reading_history.product_id
                order by reading_history.event_timestamp
            ),
            false
        ) as follows_a_jump
    from reading_history
    inner join rules
        on rules.rule_id = 'quantity_jump'
    where reading_history.times_highest_before >= rules.limit_value

),

jumps_in_a_row as (

    select
        *,
        sum(case when follows_a_jump then 0 else 1 end) over (
            partition by store_location, product_id
            order by event_timestamp
        ) as jump_row
    from jumps

),

final as (

    select
        store_location,
        product_id,
        event_timestamp,
        first_value(previous_quantity) over jumps_so_far as plausible_quantity,
        first_value(previous_reading_at) over jumps_so_far as plausible_reading_at
    from jumps_in_a_row
    window
        jumps_so_far as (
            partition by store_location, product_id, jump_row
            order by event_timestamp
        )

)

select * from final
