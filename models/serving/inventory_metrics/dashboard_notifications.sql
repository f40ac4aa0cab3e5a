with

episodes as (

    select * from {{ ref('fct_notification_episodes') }}

),

single_notifications as (

    select
        notification_type,
        notification,
        store_location,
        last_seen_at,
        product_id,
        category
    from episodes
    where needs_attention

),

waiting_episodes as (

    select *
    from episodes
    where status = 'open' and not is_clearing and not needs_attention

),

-- several episodes may be about one product, whose value at risk counts once; an episode of a category or a store
-- contains that value again
products_at_risk as (

    select
        store_location,
        product_id,
        max(value_at_risk) as value_at_risk
    from waiting_episodes
    where product_id is not null
    group by store_location, product_id

),

stores_at_risk as (

    select
        store_location,
        {{ exact_sum('value_at_risk') }} as value_at_risk
    from products_at_risk
    group by store_location

),

digests as (

    select
        mode(waiting_episodes.notification_type order by waiting_episodes.notification_type asc) as notification_type,
        format(
            'INFO · {} · {:,} more {} open and less urgent. At risk in all: {}. The most urgent: {}.',
            any_value(waiting_episodes.store_or_region),
            count(*),
            case count(*) when 1 then 'is' else 'are' end,
            {{ money_text('coalesce(any_value(stores_at_risk.value_at_risk), max(waiting_episodes.value_at_risk))') }},
            array_to_string(
                list(
                    waiting_episodes.headline
                    || case
                        when waiting_episodes.value_at_risk > 0
                            then format(' (at risk: {})', {{ money_text('waiting_episodes.value_at_risk') }})
                        else ''
                    end
                    order by waiting_episodes.store_rank
                )[:3],
                '; '
            )
        ) as notification,
        waiting_episodes.store_location,
        max(waiting_episodes.last_seen_at) as last_seen_at,
        cast(null as varchar) as product_id,
        cast(null as varchar) as category
    from waiting_episodes
    left join stores_at_risk
        on waiting_episodes.store_location is not distinct from stores_at_risk.store_location
    group by waiting_episodes.store_location

),

notifications as (

    select * from single_notifications
    union all by name
    select * from digests

),

final as (

    select
        -- the documented name of the column is a keyword
        notification_type as type,  -- noqa: RF04
        notification,
        last_seen_at as event_timestamp,
        coalesce(store_location, 'N/A') as store_location,
        coalesce(product_id, 'N/A') as product_id,
        coalesce(category, 'N/A') as category
    from notifications

)

select * from final
