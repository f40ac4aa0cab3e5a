{# A build from nothing takes the products part by part: one part's readings are sorted in memory, where those of all
   products would be written to disk, read again, and keep one core busy meanwhile. #}

{% macro note_product_parts(readings) %}
    {%- if not execute or flags.WHICH not in ('build', 'run') -%}
        {{- return('select 1') -}}
    {%- endif -%}
    {%- if noted('last_batch_id') is none or noted('after_batch_id') is not none -%}
        {{- return('select 1') -}}
    {%- endif -%}
    create or replace table build_audit.product_parts as
    select min(product_id) as first_product_id
    from (
        select
            product_id,
            sum(count(*)) over (order by product_id) - count(*) as readings_before
        from {{ readings }}
        group by product_id
    )
    group by readings_before // {{ var('readings_at_once') }}
{% endmacro %}


{# The condition on `product_id` that makes up each part. Everything is one part in an incremental build. #}
{% macro product_parts() %}
    {%- if not execute or flags.WHICH not in ('build', 'run') or is_incremental() -%}
        {{- return(['true']) -}}
    {%- endif -%}
    {%- set query -%}
        select replace(first_product_id, '''', '''''') from build_audit.product_parts order by first_product_id
    {%- endset -%}
    {%- set parts = [] -%}
    {%- for first_product_id in run_query(query).columns[0].values() -%}
        {%- set conditions = [] -%}
        {%- if not loop.first -%} {%- do conditions.append("product_id >= '" ~ first_product_id ~ "'") -%} {%- endif -%}
        {%- if not loop.last -%} {%- do conditions.append("product_id < '" ~ loop.nextitem ~ "'") -%} {%- endif -%}
        {%- do parts.append(conditions | join(' and ') or 'true') -%}
    {%- endfor -%}
    {{- return(parts or ['true']) -}}
{% endmacro %}
