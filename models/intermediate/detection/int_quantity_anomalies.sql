with

readings_for_rules as (

    select * from {{ ref('int_readings_for_rules') }}

),

suspect_readings as (

    select * from {{ ref('int_suspect_readings') }}

),

store_closures as (

    select * from {{ ref('int_store_closures') }}

),

days_for_rules as (

    select * from {{ ref('int_days_for_rules') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

{{ rule_findings('quantity') }}

select * from findings
