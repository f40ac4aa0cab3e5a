with

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

dated as (

    select
        product_daily.*,
        as_of.as_of,
        {{ day_of('as_of.as_of') }} - product_daily.event_date as days_ago
    from product_daily
    cross join as_of

),

lifetimes as (

    select
        store_location,
        product_id,
        any_value(as_of) as planned_at,
        arg_max(category, event_date) as category,
        min(first_reading_at) as first_reading_at,
        max(last_reading_at) as last_reading_at,
        max(last_reading_at) filter (where units_out > 0) as last_out_at,
        max(last_reading_at) filter (where units_in > 0) as last_in_at,
        max(emptied_at) as emptied_at,
        max(days_ago) + 1 as history_days,
        coalesce(sum(reading_count) filter (where days_ago < 90), 0) as quarter_reading_count,
        max(longest_gap_us) filter (where days_ago < 90) as quarter_longest_gap_us,
        coalesce(sum(out_value) filter (where days_ago < 7 * {{ var('planning_weeks') }}), 0) as out_value
    from dated
    group by store_location, product_id

),

-- weeks are counted back from today; the one in which the history begins is no whole week
weeks as (

    select
        dated.store_location,
        dated.product_id,
        dated.days_ago // 7 as weeks_ago,
        least(lifetimes.history_days // 7, {{ var('planning_weeks') }}) as week_count,
        sum(dated.units_out) as units_out
    from dated
    inner join lifetimes
        on
            dated.store_location = lifetimes.store_location
            and dated.product_id = lifetimes.product_id
    where dated.days_ago // 7 < least(lifetimes.history_days // 7, {{ var('planning_weeks') }})
    group by all

),

weekly as (

    select
        store_location,
        product_id,
        any_value(week_count) as week_count,
        sum(units_out) as units_out,
        sum(units_out * units_out) as units_out_squared
    from weeks
    group by store_location, product_id

),

final as (

    select
        lifetimes.store_location,
        lifetimes.product_id,
        lifetimes.category,
        lifetimes.planned_at,
        lifetimes.first_reading_at,
        lifetimes.last_reading_at,
        lifetimes.last_out_at,
        lifetimes.last_in_at,
        lifetimes.emptied_at,
        lifetimes.history_days,
        lifetimes.quarter_reading_count,
        lifetimes.quarter_longest_gap_us,
        lifetimes.out_value,
        weekly.week_count,
        weekly.units_out / weekly.week_count as weekly_units_out,
        -- a month of weeks says whether they are alike
        case
            when weekly.week_count >= 4 and weekly.units_out > 0
                then sqrt(
                    (weekly.week_count * weekly.units_out_squared - weekly.units_out * weekly.units_out)
                    / (weekly.week_count * (weekly.week_count - 1))
                ) / (weekly.units_out / weekly.week_count)
        end as weekly_variation
    from lifetimes
    left join weekly
        on
            lifetimes.store_location = weekly.store_location
            and lifetimes.product_id = weekly.product_id

)

select * from final
