with

reading_history as (

    select * from {{ ref('int_reading_history') }}

),

suspect_readings as (

    select * from {{ ref('int_suspect_readings') }}

),

store_closures as (

    select * from {{ ref('int_store_closures') }}

),

day_history as (

    select * from {{ ref('int_day_history') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

{{ rule_findings('quantity') }}

select * from findings
