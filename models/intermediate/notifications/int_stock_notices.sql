with

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

levels as (

    select * from {{ ref('int_stock_levels') }}

),

-- a product that never moves is not missed
in_need as (

    select
        *,
        case when is_out_of_stock then 0 else daily_units_out * lead_time_days end as need
    from current_stock
    where
        status in ('out of stock', 'runs out before delivery')
        and daily_units_out > 0

),

-- it is one episode since the first reading after the shelf last held enough
since_enough as (

    select
        in_need.store_location,
        in_need.product_id,
        levels.event_timestamp,
        max(case when levels.stock_level > 0 and levels.stock_level >= in_need.need then levels.event_timestamp end)
            over (partition by in_need.store_location, in_need.product_id)
            as enough_until
    from in_need
    inner join levels
        on
            in_need.store_location = levels.store_location
            and in_need.product_id = levels.product_id
    where not levels.is_suspect

),

spells as (

    select
        store_location,
        product_id,
        min(event_timestamp) as first_seen_at,
        max(event_timestamp) as last_seen_at,
        count(*) as occurrence_count
    from since_enough
    where
        enough_until is null
        or event_timestamp > enough_until
    group by store_location, product_id

),

final as (

    select
        in_need.store_location,
        in_need.category,
        in_need.product_id,
        spells.first_seen_at,
        spells.last_seen_at,
        spells.occurrence_count,
        in_need.value_at_risk,
        'stock' as notification_type,
        -- a state stands until it is mended
        true as is_open,
        case
            when in_need.is_out_of_stock then 'critical'
            when in_need.days_of_supply < 3 then 'high'
            else 'medium'
        end as severity,
        case
            when in_need.is_out_of_stock then 'out_of_stock'
            else 'runs_out_before_delivery'
        end as rule_id,
        case
            when in_need.is_out_of_stock
                then format(
                    'is out of stock. It was going {:.1f} a day while in stock; delivery takes {:.0f} days. '
                    || 'Order {} now.',
                    in_need.daily_units_out, in_need.lead_time_days, in_need.suggested_order
                )
            else
                format(
                    'will run out {}. On hand {}, going {:.1f} a day, delivery takes {:.0f} days. '
                    || 'Order {} now.',
                    case floor(in_need.days_of_supply)
                        when 0 then 'within a day'
                        when 1 then 'in 1 day'
                        else format('in {:.0f} days', floor(in_need.days_of_supply))
                    end,
                    in_need.quantity, in_need.daily_units_out, in_need.lead_time_days, in_need.suggested_order
                )
        end as matter
    from in_need
    inner join spells
        on
            in_need.store_location = spells.store_location
            and in_need.product_id = spells.product_id

)

select * from final
