with

reading_history as (

    select * from {{ ref('int_reading_history') }}

),

day_history as (

    select * from {{ ref('int_day_history') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

{{ rule_findings('quantity') }}

select * from findings
