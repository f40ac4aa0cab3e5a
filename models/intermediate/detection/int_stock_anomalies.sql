with

readings_for_rules as (

    select * from {{ ref('int_readings_for_rules') }}

),

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

product_history as (

    select * from {{ ref('int_product_history') }}

),

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

order_lines as (

    select * from {{ ref('int_order_lines') }}

),

product_windows as (

    select * from {{ ref('int_product_windows') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

{{ rule_findings('stock') }}

select * from findings
