with

notice_episodes as (

    select * from {{ ref('int_notice_episodes') }}

),


worded as (

    select
        *,
        case when is_open then 'open' else 'resolved' end as status,
        case severity when 'critical' then 1 when 'high' then 2 when 'medium' then 3 else 4 end as severity_rank,
        -- what it is about stands where it is one product or one category of one store
        concat_ws(
            ' ',
            concat_ws(
                ' · ',
                upper(severity),
                store_location,
                coalesce(product_id, category),
                case when store_location is null then matter end
            ),
            case when store_location is not null then matter end
        ) as notification
    from notice_episodes

),

final as (

    select
        notification_type,
        severity,
        severity_rank,
        status,
        rule_id,
        store_location,
        category,
        product_id,
        notification,
        first_seen_at,
        last_seen_at,
        occurrence_count,
        cast(value_at_risk as double) as value_at_risk,
        {{ row_digest(['rule_id', 'store_location', 'category', 'product_id', 'first_seen_at']) }} as episode_id,
        row_number() over (
            partition by store_location, status
            order by
                severity_rank asc,
                value_at_risk desc,
                last_seen_at desc,
                rule_id asc,
                category asc,
                product_id asc,
                first_seen_at asc
        ) as store_rank
    from worded

)

select * from final
