{{ config(tags=['across_stores']) }}

with

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

span as (

    select
        min(event_date) as first_date,
        max(event_date) as last_date
    from product_daily

),

final as (

    select cast(unnest(generate_series(first_date, last_date, interval '1 day')) as date) as date_day
    from span

)

select * from final
