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

{{ rule_findings('quantity') }}

select * from findings
