with

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

final as (

    select
        'stock' as type,
        case
            when is_out_of_stock then 'critical'
            when days_of_supply < 3 then 'high'
            else 'medium'
        end as severity,
        case
            when is_out_of_stock then 'out_of_stock'
            else 'runs_out_before_delivery'
        end as rule_id,
        store_location,
        category,
        product_id,
        case
            when is_out_of_stock
                then format(
                    'is out of stock. It was going {:.1f} a day while in stock; delivery takes {:.0f} days. '
                    || 'Order {} now.',
                    daily_units_out, lead_time_days, suggested_order
                )
            else
                format(
                    'will run out in {:.0f} {}. On hand {}, going {:.1f} a day, delivery takes {:.0f} days. '
                    || 'Order {} now.',
                    floor(days_of_supply),
                    case when floor(days_of_supply) = 1 then 'day' else 'days' end,
                    quantity, daily_units_out, lead_time_days, suggested_order
                )
        end as matter,
        last_reading_at as first_seen_at,
        last_reading_at as last_seen_at,
        cast(1 as bigint) as occurrence_count,
        value_at_risk
    from current_stock
    where
        status in ('out of stock', 'runs out before delivery')
        -- a product that never moves is not missed
        and daily_units_out > 0

)

select * from final
