with

reading_history as (

    select * from {{ ref('int_reading_history') }}

),

product_daily as (

    select * from {{ ref('int_product_daily') }}

),

product_history as (

    select * from {{ ref('int_product_history') }}

),

current_stock as (

    select * from {{ ref('fct_current_stock') }}

),

product_performance as (

    select * from {{ ref('fct_product_performance') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

{{ rule_findings('stock') }}

select * from findings
