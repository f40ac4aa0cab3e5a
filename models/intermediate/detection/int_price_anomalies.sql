with

readings_for_rules as (

    select * from {{ ref('int_readings_for_rules') }}

),

suspect_prices as (

    select * from {{ ref('int_suspect_prices') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

{{ rule_findings('price') }}

select * from findings
