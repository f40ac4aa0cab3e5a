{# A full refresh takes the products part by part: the readings of one part are sorted in memory. Those of all products
   would be written to disk and read again, which keeps one core busy meanwhile. #}

{% macro note_product_parts(readings) %}
    {%- if not selected_by_batch() or not is_built_whole() -%}
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


{# The query that the caller writes for one part, for all parts. Everything is one part in an incremental build. #}
{% macro for_each_product_part() %}
    {% for part in product_parts() %}
        {{ 'union all' if not loop.first }}
        from ({{ caller(part) }}) as part
    {% endfor %}
{% endmacro %}


{# The condition of each part: a range of products, store by store, so that the metrics sum up one store after the other.
   Each bound names the store by itself first, which lets DuckDB skip whole row groups. #}
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
