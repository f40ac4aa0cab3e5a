{{ config(tags=['across_stores']) }}

with

anomalies as (

    select * from {{ ref('int_anomalies') }}

),

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

stores as (

    select * from {{ ref('int_stores') }}

),

shelves as (

    select
        current_stock.store_location,
        current_stock.category,
        current_stock.product_id,
        stores.region
    from current_stock
    inner join stores
        on current_stock.store_location = stores.store_location
    where current_stock.quantity > 0 or current_stock.daily_units_out > 0

),

shortages as (

    select
        anomalies.*,
        shelves.region
    from anomalies
    inner join shelves
        on
            anomalies.store_location = shelves.store_location
            and anomalies.product_id = shelves.product_id
    where anomalies.detector in ('out_of_stock', 'runs_out_before_delivery')

),

-- one store may have forgotten to order; when most are empty, the supplier or the warehouse is
region_stock_outs as (

    select
        shelves.region,
        shelves.product_id,
        case
            when count(shortages.anomaly_id) = count(*)
                then
                    format(
                        'is out of stock in {} stores that sell it',
                        case count(*) when 2 then 'both' else format('all {}', count(*)) end
                    )
            else format('is out of stock in {} of the {} stores that sell it', count(shortages.anomaly_id), count(*))
        end as reason
    from shelves
    left join shortages
        on
            shelves.store_location = shortages.store_location
            and shelves.product_id = shortages.product_id
            and shortages.detector = 'out_of_stock'
    group by shelves.region, shelves.product_id
    having count(shortages.anomaly_id) >= 2 and count(shortages.anomaly_id) > count(*) / 2

),

category_sizes as (

    select
        store_location,
        category,
        count(*) as product_count
    from shelves
    group by store_location, category

),

-- products of one category that fall short together were to come together
missed_deliveries as (

    select
        shortages.store_location,
        shortages.category,
        cast(shortages.event_timestamp as date) as since_date,
        format(
            'fell short of {} products on {}, out of stock or to run out before a delivery',
            count(*), strftime(since_date, '%-d %B')
        ) as reason
    from shortages
    inner join category_sizes
        on
            shortages.store_location = category_sizes.store_location
            and shortages.category = category_sizes.category
    anti join region_stock_outs
        on
            shortages.region = region_stock_outs.region
            and shortages.product_id = region_stock_outs.product_id
    group by shortages.store_location, shortages.category, since_date
    having
        count(*) >= {{ var('products_of_one_cause') }}
        and count(*) >= {{ var('category_share_of_one_cause') }} * any_value(category_sizes.product_count)

),

-- what one supplier owes a store is settled at one go
overdue_orders as (

    select
        anomalies.anomaly_id,
        current_stock.supplier,
        format(
            'has waited since {} for a delivery{}',
            strftime(
                min(anomalies.event_timestamp) over (
                    partition by anomalies.store_location, current_stock.supplier
                ),
                '%-d %B'
            ),
            coalesce(' from ' || current_stock.supplier, '')
        ) as reason
    from anomalies
    inner join current_stock
        on
            anomalies.store_location = current_stock.store_location
            and anomalies.product_id = current_stock.product_id
    where anomalies.detector = 'overdue_order'

),

silences as (

    select
        store_location,
        format('has sent no reading of {:,} of its products', count(*)) as reason
    from anomalies
    where detector = 'stale_product'
    group by store_location
    having count(*) > 1

),

-- a category that is mostly silent seems to sell nothing
silent_categories as (

    select
        anomalies.store_location,
        anomalies.category,
        min(cast(anomalies.event_timestamp as date)) as since_date
    from anomalies
    inner join category_sizes
        on
            anomalies.store_location = category_sizes.store_location
            and anomalies.category = category_sizes.category
    where anomalies.detector = 'stale_product'
    group by anomalies.store_location, anomalies.category
    having count(*) > 1 and count(*) > any_value(category_sizes.product_count) / 2

),

-- a scanner, a price file or a count gone wrong; each text was written by itself
same_day_faults as (

    select
        store_location,
        detector,
        cast(event_timestamp as date) as event_date,
        format(
            'has {:,} products with one fault on {}', count(distinct product_id), strftime(event_date, '%-d %B')
        ) as reason
    from anomalies
    where
        not is_state
        and product_id is not null
        and method <> 'text'
    group by store_location, detector, event_date
    having count(distinct product_id) >= {{ var('products_of_one_cause') }}

),

caused as (

    select
        anomalies.*,
        stores.region,
        overdue_orders.supplier,
        case
            when region_stock_outs.product_id is not null then 'region_stock_out'
            when missed_deliveries.category is not null then 'missed_delivery'
            when overdue_orders.anomaly_id is not null then 'overdue_order'
            when silences.store_location is not null then 'silence'
            when silent_categories.category is not null then 'silence'
            when same_day_faults.detector is not null then 'same_day_fault'
            when anomalies.product_id is not null then 'product'
            when anomalies.category is not null then 'category'
            when anomalies.store_location is not null then 'store'
            else 'intake'
        end as cause,
        coalesce(
            region_stock_outs.reason,
            missed_deliveries.reason,
            overdue_orders.reason,
            silences.reason,
            same_day_faults.reason
        ) as reason
    from anomalies
    left join stores
        on anomalies.store_location = stores.store_location
    left join region_stock_outs
        on
            anomalies.detector in ('out_of_stock', 'runs_out_before_delivery')
            and stores.region = region_stock_outs.region
            and anomalies.product_id = region_stock_outs.product_id
    left join missed_deliveries
        on
            anomalies.detector in ('out_of_stock', 'runs_out_before_delivery')
            and anomalies.store_location = missed_deliveries.store_location
            and anomalies.category = missed_deliveries.category
            and cast(anomalies.event_timestamp as date) = missed_deliveries.since_date
    left join overdue_orders
        on anomalies.anomaly_id = overdue_orders.anomaly_id
    left join silences
        on
            anomalies.detector = 'stale_product'
            and anomalies.store_location = silences.store_location
    left join silent_categories
        on
            anomalies.product_id is null
            and anomalies.method in ('statistical', 'machine learning')
            and anomalies.store_location = silent_categories.store_location
            and anomalies.category = silent_categories.category
            and cast(anomalies.event_timestamp as date) >= silent_categories.since_date
    left join same_day_faults
        on
            not anomalies.is_state
            and anomalies.product_id is not null
            and anomalies.store_location = same_day_faults.store_location
            and anomalies.detector = same_day_faults.detector
            and cast(anomalies.event_timestamp as date) = same_day_faults.event_date

),

-- what is short in most stores of a region is a cause of the region, and one of each store, too
shared as (

    select
        caused.* replace (case when sides.is_covered_by_region then 'product' else caused.cause end as cause),
        sides.is_covered_by_region
    from caused
    inner join (values (false), (true)) as sides (is_covered_by_region)
        on not sides.is_covered_by_region or caused.cause = 'region_stock_out'

),

-- what a cause is about; a product keeps its cause when it moves to another category
named as (

    select
        anomaly_id,
        cause,
        reason,
        is_covered_by_region,
        case when cause = 'region_stock_out' or is_covered_by_region then region end as region,
        case when cause <> 'region_stock_out' then store_location end as store_location,
        case when cause in ('missed_delivery', 'category') then category end as category,
        case when cause in ('region_stock_out', 'product') then product_id end as product_id,
        case when cause in ('same_day_fault', 'intake') then detector end as detector,
        case when cause = 'overdue_order' then supplier end as supplier
    from shared

),

final as (

    select
        *,
        -- a store's cause has the same id before its region shares it, meanwhile and afterwards
        {{
            row_digest([
                'cause',
                'case when not is_covered_by_region then region end',
                'store_location',
                'category',
                'product_id',
                'coalesce(detector, supplier)',
            ])
        }} as cause_id
    from named

)

select * from final
