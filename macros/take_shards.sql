{# The last step of a build in shards takes the tables that the shards have built: every table that it does not build
   itself. Each shard built all of them with the readings of its own stores, so together they are what one build makes.
   Their results count as this build's: publication asks for them, and incremental builds go on from them. #}
{% macro take_shards() %}
    {%- if not execute or not var('shards') -%}
        {{- return('select 1') -}}
    {%- endif -%}
    {%- set shards, taken = [], [] -%}
    {%- for path in var('shards') -%}
        {%- do shards.append('shard_' ~ loop.index) %}
        attach '{{ path | replace("'", "''") }}' as {{ shards[-1] }} (read_only);
    {%- endfor -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.unique_id not in selected_resources -%}
        {%- do taken.append(node.unique_id) -%}
        {%- set table = node.schema ~ '.' ~ node.alias %}
        create or replace table {{ table }} as {{ rows_of_shards(shards, table) }};
        comment on table {{ table }} is {{ duckdb_escape_comment(node.description) }};
        {%- for column in node.columns.values() %}
        comment on column {{ table }}.{{ column.name }} is {{ duckdb_escape_comment(column.description) }};
        {%- endfor -%}
    {%- endfor %}
    {%- set tests = graph.nodes.values() | selectattr('attached_node', 'in', taken) | map(attribute='unique_id') | list %}
    insert into build_audit.node_results
    select
        '{{ invocation_id }}' as invocation_id,
        node_id,
        max(status) as status,
        max(message) as message,
        now() as finished_at
    from ({{ rows_of_shards(shards, 'build_audit.node_results') }})
    where node_id in ('{{ (taken + tests) | join("', '") }}')
    group by node_id;
    {%- for shard in shards %}
    detach {{ shard }};
    {%- endfor %}
    select 1
{% endmacro %}


{% macro rows_of_shards(shards, table) %}
    {%- for shard in shards -%}
        {{ ' union all by name ' if not loop.first }}from {{ shard }}.{{ table }}
    {%- endfor -%}
{% endmacro %}
