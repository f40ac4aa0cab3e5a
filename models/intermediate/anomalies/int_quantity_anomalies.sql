with

reading_history as (

    select * from {{ ref('int_reading_history') }}

),

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

{{ rule_findings('quantity') }},

final as (

    select findings.*
    from findings
    inner join rules
        on findings.rule_id = rules.rule_id
    where findings.observed_value >= rules.limit_value

)

select * from final
