with

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

lifetimes as (

    select * from {{ ref('int_product_lifetimes') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

dated as (

    select
        lifetimes.*,
        as_of.as_of as planned_at,
        {{ day_of('as_of.as_of') }} - lifetimes.first_date + 1 as history_days,
        -- the week in which the history begins is no whole week
        least(history_days // 7, {{ var('planning_weeks') }}) as week_count
    from lifetimes
    cross join as_of

),

-- weeks are counted back from today
weeks as (

    select
        product_daily.store_location,
        product_daily.product_id,
        ({{ day_of('as_of.as_of') }} - product_daily.event_date) // 7 as weeks_ago,
        sum(product_daily.units_out) as units_out,
        sum(product_daily.out_value) as out_value,
        sum(product_daily.reading_count) filter (where {{ day_of('as_of.as_of') }} - product_daily.event_date < 90)
            as quarter_reading_count,
        max(product_daily.longest_gap_us) filter (where {{ day_of('as_of.as_of') }} - product_daily.event_date < 90)
            as quarter_longest_gap_us
    from product_daily
    cross join as_of
    where {{ day_of('as_of.as_of') }} - product_daily.event_date < greatest(90, 7 * {{ var('planning_weeks') }})
    group by product_daily.store_location, product_daily.product_id, weeks_ago

),

weekly as (

    select
        dated.store_location,
        dated.product_id,
        sum(weeks.out_value) filter (where weeks.weeks_ago < {{ var('planning_weeks') }}) as out_value,
        sum(weeks.quarter_reading_count) as quarter_reading_count,
        max(weeks.quarter_longest_gap_us) as quarter_longest_gap_us,
        sum(weeks.units_out) filter (where weeks.weeks_ago < dated.week_count) as units_out,
        sum(weeks.units_out * weeks.units_out) filter (where weeks.weeks_ago < dated.week_count) as units_out_squared
    from weeks
    inner join dated
        on
            weeks.store_location = dated.store_location
            and weeks.product_id = dated.product_id
    group by dated.store_location, dated.product_id

),

final as (

    select
        dated.store_location,
        dated.product_id,
        dated.category,
        dated.planned_at,
        dated.first_reading_at,
        dated.last_reading_at,
        dated.last_out_at,
        dated.last_in_at,
        dated.emptied_at,
        dated.history_days,
        weekly.quarter_longest_gap_us,
        nullif(dated.week_count, 0) as week_count,
        coalesce(weekly.quarter_reading_count, 0) as quarter_reading_count,
        coalesce(weekly.out_value, 0) as out_value,
        weekly.units_out / nullif(dated.week_count, 0) as weekly_units_out,
        -- a month of weeks says whether they are alike
        case
            when dated.week_count >= 4 and weekly.units_out > 0
                then sqrt(
                    (dated.week_count * weekly.units_out_squared - weekly.units_out * weekly.units_out)
                    / (dated.week_count * (dated.week_count - 1))
                ) / (weekly.units_out / dated.week_count)
        end as weekly_variation
    from dated
    left join weekly
        on
            dated.store_location = weekly.store_location
            and dated.product_id = weekly.product_id

)

select * from final
