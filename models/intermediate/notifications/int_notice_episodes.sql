with

anomaly_notices as (

    select * from {{ ref('int_anomaly_notices') }}

),

model_notices as (

    select * from {{ ref('int_model_notices') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

notices as (

    select * from anomaly_notices
    union all by name
    select * from model_notices

),

spaced as (

    select
        notices.*,
        rules.cooldown_days,
        notices.seen_at - lag(notices.seen_at) over same_matter > to_days(rules.cooldown_days) as is_new_episode
    from notices
    inner join rules
        on notices.rule_id = rules.rule_id
    window
        same_matter as (
            partition by notices.rule_id, notices.store_location, notices.category, notices.product_id
            order by notices.seen_at
        )

),

numbered as (

    select
        *,
        count(*) filter (where is_new_episode) over (
            partition by rule_id, store_location, category, product_id
            order by seen_at
        ) as episode_number
    from spaced

),

-- an episode tells its last occurrence; it rests when the matter has not come again for the rule's quiet days, and a
-- state, which has none, while it does not hold
final as (

    select
        numbered.notification_type,
        numbered.severity,
        numbered.rule_id,
        numbered.store_location,
        numbered.category,
        numbered.product_id,
        min(numbered.seen_at) as first_seen_at,
        case
            when any_value(numbered.cooldown_days) is null then any_value(as_of.as_of) else max(numbered.seen_at)
        end as last_seen_at,
        count(*) as occurrence_count,
        arg_max(numbered.matter, numbered.seen_at) as matter,
        arg_max(numbered.value_at_risk, numbered.seen_at) as value_at_risk,
        coalesce(
            max(numbered.seen_at) >= any_value(as_of.as_of) - to_days(any_value(numbered.cooldown_days)), true
        ) as is_open
    from numbered
    cross join as_of
    group by
        numbered.notification_type,
        numbered.severity,
        numbered.rule_id,
        numbered.store_location,
        numbered.category,
        numbered.product_id,
        numbered.episode_number

)

select * from final
