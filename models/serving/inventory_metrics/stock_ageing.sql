with

ageing as (

    select * from {{ ref('fct_stock_ageing') }}

),

final as (

    select
        store_location,
        category,
        age_bucket,
        age_rank,
        count(*) as product_count,
        cast(sum(quantity) as bigint) as quantity,
        {{ exact_sum('stock_value') }} as stock_value
    from ageing
    group by store_location, category, age_bucket, age_rank

)

select * from final
