with

detections as (

    select * from {{ ref('int_panel_detections') }}

),

demand_panel as (

    select * from {{ ref('int_demand_panel') }}

),

final as (

    select
        cast(detections.method as varchar) as detector,
        cast(detections.kind as varchar) as kind,
        demand_panel.store_location,
        demand_panel.category,
        cast(null as varchar) as product_id,
        demand_panel.ds as event_timestamp,
        cast(detections.observed as double) as observed_value,
        cast(detections.expected as double) as expected_value,
        cast(detections.score as double) as score,
        abs(detections.observed - detections.expected) * demand_panel.avg_price as value_off,
        cast(detections.tail_probability as double) as tail_probability,
        format(
            '{} were expected, and {} sold {}',
            case detections.kind
                -- a day may be within its range, after many on the same side of what was expected
                when 'level_shift'
                    then format(
                        'on one day, after several that were off in the same direction; about {:,.0f} a day',
                        detections.expected
                    )
                else
                    format(
                        'on one day{}; {:,.0f} to {:,.0f}',
                        case detections.kind when 'flat_line' then ', as on those before it' else '' end,
                        detections.expected_low,
                        detections.expected_high
                    )
            end,
            case when demand_panel.category is null then 'the other stores' else 'its peers' end,
            {{ against_usual('detections.peer_ratio') }}
        ) as evidence,
        {{ row_digest([
            'detections.method', 'demand_panel.store_location', 'demand_panel.category', 'demand_panel.ds'
        ]) }} as anomaly_id
    from detections
    inner join demand_panel
        on
            detections.unique_id = demand_panel.unique_id
            and detections.ds = demand_panel.ds
    where detections.alert

)

select * from final
