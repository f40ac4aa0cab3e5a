{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['store_location', 'category', 'event_date'],
        on_schema_change='fail',
        tags=['by_batch', 'frequent'],
        pre_hook=[
            "{{ delete_touched(
                ref('int_touched_stores'), 'event_date >= ' ~ day_of('touched.changed_from'), ['store_location']
            ) }}",
            "{% if is_incremental() %}
            delete from {{ this }}
            where {{ is_unfilled(
                'measured_at', 'last_reading_at', '(select max(event_timestamp) from ' ~ ref('int_stock_metrics') ~ ')'
            ) }}
            {% endif %}"
        ]
    )
}}

with

stock_metrics as not materialized (

    select * from {{ ref('int_stock_metrics') }}

),

{% if is_incremental() %}

    touched_stores as (

        select * from {{ ref('int_touched_stores') }}

    ),

    -- each store goes on from its last day, which may have been cut short
    stores as materialized (

        select
            store_location,
            max(event_date) as summed_from
        from {{ this }}
        group by store_location

    ),

    new_stores as (

        select
            touched_stores.store_location,
            {{ day_of('touched_stores.changed_from') }} as summed_from
        from touched_stores
        anti join stores
            on touched_stores.store_location = stores.store_location

    ),

    buckets as (

        select stock_metrics.*
        from stock_metrics
        inner join (select * from stores union all select * from new_stores) as stores
            on
                stock_metrics.store_location = stores.store_location
                and stock_metrics.event_timestamp > stores.summed_from

    ),

{% else %}

    buckets as (

        select * from stock_metrics

    ),

{% endif %}

dated as (

    select
        *,
        {{ day_of('event_timestamp') }} as event_date
    from buckets

),

final as (

    select
        event_date,
        store_location,
        category,
        cast(sum(units_out) as bigint) as units_out,
        cast(sum(units_in) as bigint) as units_in,
        arg_max(total_quantity, event_timestamp) as total_quantity,
        arg_max_null(avg_price, event_timestamp) as avg_price,
        arg_max(total_stock_value, event_timestamp) as total_stock_value,
        arg_max(product_count, event_timestamp) as product_count,
        arg_max(out_of_stock_count, event_timestamp) as out_of_stock_count,
        max(last_reading_at) as last_reading_at,
        max(event_timestamp) as measured_at
    from dated
    group by event_date, store_location, category

)

select * from final
