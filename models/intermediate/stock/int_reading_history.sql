{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch'],
        pre_hook="{% if is_incremental() %}
            delete from {{ this }} as stored using ({{ touched_products() }}) as touched
            where
                stored.store_location = touched.store_location
                and stored.product_id = touched.product_id
                and stored.event_timestamp >= touched.changed_from
        {% endif %}"
    )
}}

with

levels as (

    select * from {{ ref('int_stock_levels') }}

),

{% if is_incremental() %}

    touched_products as materialized (

        {{ touched_products() }}

    ),

    -- a reading rests on the twenty before it
    lately as materialized (

        select
            levels.*,
            touched_products.changed_from
        from levels
        inner join touched_products
            on
                levels.store_location = touched_products.store_location
                and levels.product_id = touched_products.product_id
        where levels.event_timestamp >= {{ unchanged_until() }} - interval '45 days'

    ),

    seldom_read as (

        select
            store_location,
            product_id
        from lately
        group by store_location, product_id
        having
            count(*) filter (where event_timestamp < changed_from) < 20
            and arg_min_null(level_before, event_timestamp) is not null

    ),

    relevant_levels as (

        select lately.* exclude (changed_from)
        from lately
        anti join seldom_read
            on
                lately.store_location = seldom_read.store_location
                and lately.product_id = seldom_read.product_id
        union all
        select levels.*
        from levels
        semi join seldom_read
            on
                levels.store_location = seldom_read.store_location
                and levels.product_id = seldom_read.product_id

    ),

{% else %}

    relevant_levels as (

        select * from levels

    ),

{% endif %}

-- windows sort numbers faster than names
products as materialized (

    select
        store_location,
        product_id,
        cast(row_number() over () as integer) as product
    from relevant_levels
    group by store_location, product_id

),

-- a level below zero and a spike that came back are no past to judge others by, and nothing moves to or from them
judged as (

    select
        products.product,
        relevant_levels.category,
        relevant_levels.quantity,
        relevant_levels.stock_level,
        relevant_levels.level_before,
        relevant_levels.previous_quantity,
        relevant_levels.previous_reading_at,
        relevant_levels.reported_price,
        relevant_levels.is_suspect,
        relevant_levels.event_timestamp,
        not relevant_levels.is_suspect and relevant_levels.quantity >= 0 as is_plausible,
        case when is_plausible then relevant_levels.quantity end as believed_quantity,
        case
            when is_plausible and relevant_levels.previous_quantity >= 0
                then relevant_levels.quantity - relevant_levels.previous_quantity
            else 0
        end as units_moved,
        case when relevant_levels.reported_price > 0 then relevant_levels.reported_price end as believed_price
    from relevant_levels
    inner join products
        on
            relevant_levels.store_location = products.store_location
            and relevant_levels.product_id = products.product_id

),

past as (

    select
        *,
        greatest(-units_moved, 0) as units_fallen,
        greatest(units_moved, 0) as units_risen,
        lead(stock_level) over product_readings as next_level,
        max(believed_quantity) over last_twenty as highest_quantity_before,
        count(believed_quantity) over last_twenty as quantities_before,
        greatest(-min(units_moved) over last_twenty, 0) as largest_fall_before,
        greatest(max(units_moved) over last_twenty, 0) as largest_rise_before,
        count(*) filter (where units_moved > 0) over last_twenty as rises_before,
        min(believed_price) over last_twenty as lowest_price_before,
        max(believed_price) over last_twenty as highest_price_before,
        count(believed_price) over last_twenty as prices_before
    from judged
    window
        product_readings as (
            partition by product
            order by event_timestamp
        ),
        last_twenty as (product_readings rows between 20 preceding and 1 preceding)

),

compared as (

    select
        *,
        -- five readings say what is usual; below four units any delivery is many times more
        case
            when not is_suspect and quantities_before >= 5 then quantity / greatest(highest_quantity_before, 4)
        end as times_highest_before
    from past

),

remarkable as (

    select
        *,
        -- what came later says something about a spike alone
        case when is_suspect then next_level end as level_after_spike
    from compared
    where {{ stands_out() }}

),

final as (

    select
        products.store_location,
        products.product_id,
        remarkable.category,
        remarkable.quantity,
        remarkable.stock_level,
        remarkable.reported_price,
        remarkable.is_suspect,
        remarkable.event_timestamp,
        remarkable.level_before,
        remarkable.previous_quantity,
        remarkable.previous_reading_at,
        remarkable.level_after_spike as next_level,
        remarkable.units_fallen,
        remarkable.units_risen,
        remarkable.quantities_before,
        remarkable.lowest_price_before,
        remarkable.highest_price_before,
        remarkable.prices_before,
        remarkable.times_highest_before,
        remarkable.largest_fall_before,
        remarkable.largest_rise_before,
        remarkable.rises_before
    from remarkable
    inner join products
        on remarkable.product = products.product

)

select final.*
from final
{% if is_incremental() %}
    inner join touched_products
        on
            final.store_location = touched_products.store_location
            and final.product_id = touched_products.product_id
            and final.event_timestamp >= touched_products.changed_from
{% endif %}
