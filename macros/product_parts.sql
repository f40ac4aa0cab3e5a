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
    select
        arg_min(store_location, (store_location, product_id)) as first_store,
        arg_min(product_id, (store_location, product_id)) as first_product
    from (
        select
            store_location,
            product_id,
            sum(count(*)) over (order by store_location, product_id) - count(*) as readings_before
        from {{ readings }}
        group by store_location, product_id
    )
    group by readings_before // {{ var('readings_at_once') }}
{% endmacro %}


{# The condition that makes up each part, a range of products store by store: the metrics then sum up stores one after the
   other. Each bound names the store by itself first, by which whole blocks of rows are skipped. Everything is one part in
   an incremental build. #}
{% macro product_parts() %}
    {%- if not execute or flags.WHICH not in ('build', 'run') or is_incremental() -%}
        {{- return(['true']) -}}
    {%- endif -%}
    {%- set query -%}
        select
            replace(first_store, '''', ''''''),
            replace(first_product, '''', '''''')
        from build_audit.product_parts
        order by first_store, first_product
    {%- endset -%}
    {%- set parts = [] -%}
    {%- for store, product in run_query(query).rows -%}
        {%- set conditions = [] -%}
        {%- if not loop.first -%}
            {%- do conditions.append(
                "store_location >= '" ~ store ~ "' and (store_location > '" ~ store ~ "' or product_id >= '" ~ product ~ "')"
            ) -%}
        {%- endif -%}
        {%- if not loop.last -%}
            {%- set store, product = loop.nextitem -%}
            {%- do conditions.append(
                "store_location <= '" ~ store ~ "' and (store_location < '" ~ store ~ "' or product_id < '" ~ product ~ "')"
            ) -%}
        {%- endif -%}
        {%- do parts.append(conditions | join(' and ') or 'true') -%}
    {%- endfor -%}
    {{- return(parts or ['true']) -}}
{% endmacro %}
