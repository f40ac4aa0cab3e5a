with

unexplained_flows as (

    select * from {{ ref('int_unexplained_flows') }}

),

product_flows as (

    select * from {{ ref('int_product_flows') }}

),

described as (

    select
        *,
        format(
            '{:,.0f} ± {:,.0f} were expected, and the rest of the store sold {}',
            expected,
            spread,
            {{ against_usual('store_ratio') }}
        ) as expectation,
        case when days = 1 then 'a day' else format('{:.0f} days', days) end as period
    from unexplained_flows

),

final as (

    select
        'unexplained_' || described.kind as detector,
        described.kind,
        product_flows.store_location,
        product_flows.category,
        product_flows.product_id,
        product_flows.last_reading_at as event_timestamp,
        described.observed as observed_value,
        described.expected as expected_value,
        described.score,
        abs(described.observed - described.expected) * product_flows.price as value_off,
        pow(10, -described.score) as tail_probability,
        case described.kind
            when 'return'
                then format('{:,.0f} back in {}; {}', product_flows.units_in, described.period, described.expectation)
            when 'receipt'
                then format(
                    '{} its last delivery; deliveries bring {:,.0f} ± {:,.0f} every {:.0f} days',
                    case when described.days = 1 then 'the day after' else described.period || ' after' end,
                    described.expected,
                    described.spread,
                    described.usual_days
                )
            when 'receipts'
                then format(
                    '{:,.0f} more within {}; deliveries bring {:,.0f} ± {:,.0f} every {:.0f} days',
                    product_flows.units_in, described.period, described.expected, described.spread, described.usual_days
                )
            when 'fall' then format('in {}; {}', described.period, described.expectation)
            else format('for {}; {}', described.period, described.expectation)
        end as evidence,
        -- a day, and no category: the product may move to another one
        {{ row_digest([
            'detector', 'product_flows.store_location', 'product_flows.product_id', 'cast(described.ds as date)'
        ]) }} as anomaly_id
    from described
    inner join product_flows
        on
            described.unique_id = product_flows.unique_id
            and described.ds = product_flows.ds

)

select * from final
