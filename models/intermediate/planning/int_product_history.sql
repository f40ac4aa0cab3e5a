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
        {{ day_of(flows_known_until(
            'as_of.as_of', 'lifetimes.last_reading_at', 'lifetimes.last_interval_us', 'lifetimes.closing_quantity'
        )) }} as flows_known_date,
        -- the week in which the history begins is no whole week
        least((flows_known_date - lifetimes.first_date + 1) // 7, {{ var('planning_weeks') }}) as week_count
    from lifetimes
    cross join as_of

),

quarters as (

    select
        product_daily.store_location,
        product_daily.product_id,
        sum(product_daily.reading_count) as reading_count,
        max(product_daily.longest_gap_us) as longest_gap_us
    from product_daily
    cross join as_of
    where {{ day_of('as_of.as_of') }} - product_daily.event_date < 90
    group by product_daily.store_location, product_daily.product_id

),

-- weeks are counted back from the last day whose flows are known
days as (

    select
        product_daily.*,
        dated.flows_known_date,
        dated.week_count,
        (dated.flows_known_date - product_daily.event_date) // 7 as last_week,
        epoch_us(product_daily.first_reading_at) as opening_ends_us,
        epoch_us(product_daily.last_reading_at) - product_daily.observed_us as opening_starts_us
    from product_daily
    inner join dated
        on
            product_daily.store_location = dated.store_location
            and product_daily.product_id = dated.product_id
            and product_daily.event_date > dated.flows_known_date - 7 * {{ var('planning_weeks') }}

),

day_weeks as (

    select
        *,
        unnest(
            range(
                last_week,
                least(
                    coalesce((flows_known_date - cast(make_timestamp(opening_starts_us) as date)) // 7, last_week),
                    {{ var('planning_weeks') }} - 1
                ) + 1
            )
        ) as weeks_ago,
        epoch_us(cast(flows_known_date + 1 as timestamp)) - 7 * 86400000000 * weeks_ago as week_ends_us
    from days

),

-- what went out before a day's first reading is spread evenly over the time since the reading before
spread as (

    select
        store_location,
        product_id,
        weeks_ago,
        week_count,
        units_out,
        out_value,
        opening_units_out * coalesce(
            (
                least(opening_ends_us, week_ends_us)
                - greatest(opening_starts_us, week_ends_us - 7 * 86400000000)
            ) / nullif(opening_ends_us - opening_starts_us, 0),
            0
        ) + case when weeks_ago = last_week then units_out - opening_units_out else 0 end as week_units_out
    from day_weeks

),

weeks as (

    select
        store_location,
        product_id,
        weeks_ago,
        any_value(week_count) as week_count,
        {{ exact_sum('week_units_out') }} as units_out,
        {{ exact_sum('case when units_out > 0 then out_value * week_units_out / units_out else out_value end') }}
            as out_value
    from spread
    group by store_location, product_id, weeks_ago

),

weekly as (

    select
        store_location,
        product_id,
        {{ exact_sum('out_value') }} as out_value,
        {{ exact_sum('case when weeks_ago < week_count then units_out end') }} as units_out,
        {{ exact_sum('case when weeks_ago < week_count then units_out * units_out end') }} as units_out_squared
    from weeks
    group by store_location, product_id

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
        dated.last_interval_us,
        quarters.longest_gap_us as quarter_longest_gap_us,
        -- without readings nothing went out; without a known price the value of what went out is unknown
        cast(case when weekly.product_id is null then 0 else weekly.out_value end as decimal(38, 9)) as out_value,
        nullif(dated.week_count, 0) as week_count,
        coalesce(quarters.reading_count, 0) as quarter_reading_count,
        coalesce(weekly.units_out, 0) / nullif(dated.week_count, 0) as weekly_units_out,
        -- fewer than four weeks are too few for a variation
        case
            when dated.week_count >= 4 and weekly.units_out > 0
                then sqrt(
                    greatest(dated.week_count * weekly.units_out_squared - weekly.units_out * weekly.units_out, 0)
                    / (dated.week_count * (dated.week_count - 1))
                ) / (weekly.units_out / dated.week_count)
        end as weekly_variation
    from dated
    left join weekly
        on
            dated.store_location = weekly.store_location
            and dated.product_id = weekly.product_id
    left join quarters
        on
            dated.store_location = quarters.store_location
            and dated.product_id = quarters.product_id

)

select * from final
