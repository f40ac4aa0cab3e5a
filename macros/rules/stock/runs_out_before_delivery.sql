{# The shelf will be empty before a delivery that is on order, or ordered now, arrives. The state begins with the first day
   that closed with less than a lead time takes. A day or two short is the usual end of an order cycle, so it is below the
   limit. #}
{% macro rule__stock__runs_out_before_delivery() %}
    select
        store_location,
        category,
        product_id,
        min(closed_at) as event_timestamp,
        quantity as observed_value,
        missed_units / daily_units_out as score,
        case floor(days_of_supply)
            when 0 then 'within a day'
            when 1 then 'in 1 day'
            else format('in {:.0f} days', floor(days_of_supply))
        end as evidence
    from (
        select
            current_stock.*,
            product_daily.last_reading_at as closed_at,
            max(
                case
                    when product_daily.closing_quantity >= current_stock.daily_units_out * current_stock.lead_time_days
                        then product_daily.last_reading_at
                end
            ) over (partition by current_stock.store_location, current_stock.product_id) as enough_until
        from current_stock
        inner join product_daily
            on
                current_stock.store_location = product_daily.store_location
                and current_stock.product_id = product_daily.product_id
        where current_stock.status = 'runs out before delivery'
    )
    where coalesce(closed_at > enough_until, true)
    group by store_location, category, product_id, quantity, days_of_supply, missed_units, daily_units_out
{% endmacro %}
