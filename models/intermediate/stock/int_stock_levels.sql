{% set returns_within = "interval '" ~ var('spike_returns_within') ~ "'" %}

with

readings as (

    select * from {{ ref('int_distinct_readings') }}

),

spike_rule as (

    select limit_value as spike_ratio
    from {{ ref('anomaly_rules') }}
    where rule_id = 'returned_spike'

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
        quantity,
        price as reported_price,
        event_timestamp,
        greatest(quantity, 0) as stock_level
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

judged as (

    select
        neighbours.*,
        coalesce(
            neighbours.previous_level > 0
            and neighbours.next_level > 0
            and neighbours.stock_level
            >= spike_rule.spike_ratio * greatest(neighbours.previous_level, neighbours.next_level)
            and abs(neighbours.next_level - neighbours.previous_level)
            <= {{ var('spike_return_share') }} * neighbours.previous_level
            and neighbours.next_event_timestamp - neighbours.event_timestamp <= {{ returns_within }},
            false
        ) as is_suspect
    from neighbours
    cross join spike_rule

),

-- a suspect reading is not believed in its price either
final as (

    select
        store_location,
        product_id,
        category,
        quantity,
        stock_level,
        reported_price,
        is_suspect,
        event_timestamp,
        last_value(case when not is_suspect then reported_price end ignore nulls) over (
            partition by store_location, product_id
            order by event_timestamp
            rows between unbounded preceding and current row
        ) as price
    from judged

)

select * from final
