with

stores as (

    select * from {{ ref('int_stores') }}

),

public_holidays as (

    select * from {{ ref('int_public_holidays') }}

),

school_holidays as (

    select * from {{ ref('stg_masters__school_holidays') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

days_around as (

    select
        cast(
            unnest(range(-{{ var('days_near_a_holiday') }}, {{ var('days_near_a_holiday') }} + 1)) as integer
        ) as days_after

),

days_near_holidays as (

    select
        stores.store_location,
        days_around.days_after,
        public_holidays.ds + to_days(days_around.days_after) as ds
    from stores
    inner join public_holidays
        on stores.country = public_holidays.country
    cross join days_around

),

days_without_school as (

    select
        stores.store_location,
        cast(unnest(generate_series(
            greatest(school_holidays.first_day, cast(as_of.as_of as date) - {{ var('model_history_days') }}),
            least(school_holidays.last_day, cast(as_of.as_of as date) + {{ var('forecast_horizon') }}),
            interval '1 day'
        )) as timestamp) as ds
    from stores
    cross join as_of
    inner join school_holidays
        on
            school_holidays.store_location in (stores.store_location, '*')
            and school_holidays.region in (stores.region, '*')
            -- what holds for a country holds for its parts
            and school_holidays.country in (stores.country, split_part(stores.country, '-', 1), '*')

),

together as (

    select
        *,
        false as is_without_school
    from days_near_holidays
    union all by name
    select
        *,
        true as is_without_school
    from days_without_school

),

-- 0 is a day like any other, so that a store without a calendar has the same as before
final as (

    select
        store_location,
        ds,
        cast(count(*) filter (where days_after = 0) > 0 as integer) as holiday,
        coalesce(
            max({{ var('days_near_a_holiday') }} + 1 + days_after) filter (where days_after < 0), 0
        ) as before_holiday,
        coalesce(
            max({{ var('days_near_a_holiday') }} + 1 - days_after) filter (where days_after > 0), 0
        ) as after_holiday,
        cast(bool_or(is_without_school) as integer) as school_holiday
    from together
    group by store_location, ds

)

select * from final
