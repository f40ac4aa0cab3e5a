with

distinct_readings as (

    select * from {{ ref('int_distinct_readings') }}

),

-- one row per product and moment: of two conflicting readings the later arrival
final as (

    select
        product_id,
        category,
        store_location,
        quantity,
        cast(price as double) as price,
        {{ iso_timestamp('event_timestamp') }} as event_timestamp
    from distinct_readings
    qualify
        row_number() over (
            partition by store_location, product_id, event_timestamp
            order by arrival desc
        ) = 1

)

select * from final
