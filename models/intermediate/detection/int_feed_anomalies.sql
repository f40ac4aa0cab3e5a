with

accepted_readings as (

    select * from {{ ref('int_accepted_readings') }}

),

readings as (

    select * from {{ ref('stg_inventory_events__readings') }}

),

messages as (

    select * from {{ ref('stg_inventory_events__messages') }}

),

message_batches as (

    select * from {{ ref('int_message_batches') }}

),

store_history as (

    select * from {{ ref('int_store_history') }}

),

product_history as (

    select * from {{ ref('int_product_history') }}

),

product_categories as (

    select * from {{ ref('int_product_categories') }}

),

stage_failures as (

    select * from {{ ref('stg_live__stage_failures') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

rules as (

    select * from {{ ref('anomaly_rules') }}

),

{{ rule_findings('feed') }}

select * from findings
