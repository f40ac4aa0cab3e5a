{# A build from nothing takes the products part by part, each part's readings from the first to the last: a part is sorted
   in memory, where all readings at once would be written to disk and read again. #}

{% macro note_product_parts(readings) %}
    {%- if not execute or flags.WHICH not in ('build', 'run') or noted('after_batch_id') is not none -%}
        {{- return('select 1') -}}
    {%- endif -%}
    create or replace table build_audit.product_parts as
    with
    products as (
        select
            product_id,
            sum(count(*)) over (order by product_id) - count(*) as readings_before
        from {{ readings }}
        group by product_id
    )
    select min(product_id) as first_product_id
    from products
    group by readings_before // {{ var('readings_at_once') }}
{% endmacro %}


{# The conditions on `product_id` that make up the parts; everything is one part where nothing was noted. #}
{% macro product_parts() %}
    {%- set bounds = [] -%}
    {%- if execute and flags.WHICH in ('build', 'run') and not is_incremental() -%}
        {%- set query -%}
            select first_product_id from build_audit.product_parts order by first_product_id
        {%- endset -%}
        {%- for row in run_query(query).rows -%}
            {%- do bounds.append("'" ~ row[0] | replace("'", "''") ~ "'") -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set parts = [] -%}
    {%- for bound in bounds -%}
        {%- set conditions = [] -%}
        {%- if not loop.first -%} {%- do conditions.append('product_id >= ' ~ bound) -%} {%- endif -%}
        {%- if not loop.last -%} {%- do conditions.append('product_id < ' ~ loop.nextitem) -%} {%- endif -%}
        {%- do parts.append(conditions | join(' and ') or 'true') -%}
    {%- endfor -%}
    {{- return(parts or ['true']) -}}
{% endmacro %}
