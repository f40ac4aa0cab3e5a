with

reading_history as (

    select * from {{ ref('int_reading_history') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

{{ rule_findings('price') }}

select * from findings
