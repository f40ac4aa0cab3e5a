with

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

history as (

    select * from {{ ref('int_product_history') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

receipts as (

    select
        current_stock.store_location,
        current_stock.product_id,
        current_stock.quantity as quantity_on_hand,
        product_daily.units_in,
        {{ day_of('as_of.as_of') }} - product_daily.event_date as age_days,
        coalesce(
            sum(product_daily.units_in) over (
                partition by product_daily.store_location, product_daily.product_id
                order by product_daily.event_date desc
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as units_in_since
    from product_daily
    cross join as_of
    inner join current_stock
        on
            product_daily.store_location = current_stock.store_location
            and product_daily.product_id = current_stock.product_id
    where
        product_daily.units_in > 0
        and {{ day_of('as_of.as_of') }} - product_daily.event_date <= 180

),

-- first in, first out: what is on hand came with the newest receipts
received_layers as (

    select
        store_location,
        product_id,
        age_days,
        least(units_in, quantity_on_hand - units_in_since) as quantity
    from receipts
    where units_in_since < quantity_on_hand

),

-- what no receipt explains has been there since the first reading or longer
explained as (

    select
        store_location,
        product_id,
        sum(quantity) as quantity
    from received_layers
    group by store_location, product_id

),

oldest_layers as (

    select
        current_stock.store_location,
        current_stock.product_id,
        least(history.history_days - 1, 181) as age_days,
        current_stock.quantity - coalesce(explained.quantity, 0) as quantity
    from current_stock
    inner join history
        on
            current_stock.store_location = history.store_location
            and current_stock.product_id = history.product_id
    left join explained
        on
            current_stock.store_location = explained.store_location
            and current_stock.product_id = explained.product_id
    where current_stock.quantity > coalesce(explained.quantity, 0)

),

layers as (

    select * from received_layers
    union all
    select * from oldest_layers

),

buckets as (

    select
        bounds.age_rank,
        bounds.age_bucket,
        bounds.youngest_days,
        bounds.oldest_days
    from (
        values
        (1, '0 to 30 days', 0, 30),
        (2, '31 to 60 days', 31, 60),
        (3, '61 to 90 days', 61, 90),
        (4, '91 to 180 days', 91, 180),
        (5, 'over 180 days', 181, 181)
    ) as bounds (age_rank, age_bucket, youngest_days, oldest_days)

),

final as (

    select
        current_stock.store_location,
        current_stock.category,
        current_stock.product_id,
        buckets.age_bucket,
        buckets.age_rank,
        cast(sum(layers.quantity) as bigint) as quantity,
        cast(sum(layers.quantity * layers.age_days) as bigint) as unit_days,
        cast(sum(layers.quantity) * any_value(current_stock.price) as double) as stock_value
    from layers
    inner join buckets
        on layers.age_days between buckets.youngest_days and buckets.oldest_days
    inner join current_stock
        on
            layers.store_location = current_stock.store_location
            and layers.product_id = current_stock.product_id
    group by
        current_stock.store_location,
        current_stock.category,
        current_stock.product_id,
        buckets.age_bucket,
        buckets.age_rank

)

select * from final
