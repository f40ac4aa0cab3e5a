with

history as (

    select * from {{ ref('fct_notification_history') }}

),

final as (

    select
        episode_id,
        change_number,
        changed_at,
        change_kind,
        headline,
        status,
        person,
        assignee,
        snoozed_until,
        comment,  -- noqa: RF04
        coalesce(region, 'N/A') as region,
        coalesce(store_location, 'N/A') as store_location,
        coalesce(category, 'N/A') as category,
        coalesce(product_id, 'N/A') as product_id
    from history

)

select * from final
