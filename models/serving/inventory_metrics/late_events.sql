with

late_readings as (

    select * from {{ ref('fct_late_readings') }}

),

final as (

    select
        product_id,
        category,
        store_location,
        quantity,
        cast(price as double) as price,
        {{ iso_timestamp('event_timestamp') }} as event_timestamp,
        strftime(published_at, '%Y-%m-%d %H:%M:%S') as published_at
    from late_readings

)

select * from final
