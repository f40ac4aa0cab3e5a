{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        tags=['by_batch'],
        pre_hook="{% if is_incremental() %}
            delete from {{ this }} where event_date >= {{ day_of(unchanged_until()) }};
            delete from {{ this }}
            where {{ is_unfilled(
                'measured_at', 'last_reading_at', '(select max(event_timestamp) from ' ~ ref('int_stock_metrics') ~ ')'
            ) }}
        {% endif %}"
    )
}}

with

stock_metrics as (

    select * from {{ ref('int_stock_metrics') }}

),

dated as (

    select
        *,
        {{ day_of('event_timestamp') }} as event_date
    from stock_metrics
    {% if is_incremental() %}
        where event_timestamp > {{ day_of(unchanged_until()) }}
    {% endif %}

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
