with

daily_stock as (

    select * from {{ ref('fct_daily_stock') }}

),

span as (

    select
        min(event_date) as first_date,
        max(event_date) as last_date
    from daily_stock

),

final as (

    select cast(unnest(generate_series(first_date, last_date, interval '1 day')) as date) as date_day
    from span

)

select * from final
