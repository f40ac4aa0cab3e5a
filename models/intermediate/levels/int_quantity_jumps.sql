with

readings_for_rules as (

    select * from {{ ref('int_readings_for_rules') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

jumps as (

    select
        readings_for_rules.store_location,
        readings_for_rules.product_id,
        readings_for_rules.event_timestamp,
        readings_for_rules.previous_quantity,
        readings_for_rules.previous_reading_at,
        coalesce(
            readings_for_rules.previous_reading_at = lag(readings_for_rules.event_timestamp) over (
                partition by readings_for_rules.store_location, readings_for_rules.product_id
                order by readings_for_rules.event_timestamp
            ),
            false
        ) as follows_a_jump
    from readings_for_rules
    inner join rules
        on rules.rule_id = 'quantity_jump'
    where readings_for_rules.times_highest_before >= rules.threshold

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
