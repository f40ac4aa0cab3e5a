with

anomaly_notices as (

    select * from {{ ref('int_anomaly_notices') }}

),

stock_notices as (

    select * from {{ ref('int_stock_notices') }}

),

feed_notices as (

    select * from {{ ref('int_feed_notices') }}

),

model_notices as (

    select * from {{ ref('int_model_notices') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

notices as (

    select * from anomaly_notices
    union all
    select * from stock_notices
    union all
    select * from feed_notices
    union all
    select * from model_notices

),

-- stock below its need is a state and stands until it is mended; other matters rest when they have not come again
dated as (

    select
        notices.*,
        case
            when notices.type = 'stock' then 'open'
            when notices.last_seen_at >= as_of.as_of - interval '{{ var("episode_gap_days") }} days' then 'open'
            else 'resolved'
        end as status,
        case notices.severity when 'critical' then 1 when 'high' then 2 when 'medium' then 3 else 4 end
            as severity_rank
    from notices
    cross join as_of

),

ranked as (

    select
        *,
        row_number() over (
            partition by store_location, status
            order by
                severity_rank, value_at_risk desc, last_seen_at desc,
                rule_id, category, product_id, first_seen_at
        ) as store_rank
    from dated

),

final as (

    select
        md5(
            concat_ws('|', rule_id, store_location, category, product_id, epoch_us(first_seen_at))
        ) as episode_id,
        type,
        severity,
        severity_rank,
        status,
        rule_id,
        store_location,
        category,
        product_id,
        format(
            '{} · {} · {} {}',
            upper(severity),
            store_location,
            case when product_id = 'N/A' then category else product_id end,
            matter
        ) as notification,
        first_seen_at,
        last_seen_at,
        occurrence_count,
        value_at_risk,
        store_rank
    from ranked

)

select * from final
