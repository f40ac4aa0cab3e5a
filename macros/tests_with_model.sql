{# After a model, seed or snapshot is built, all its generic tests in one query: most of a test's cost is dbt's, not the
   query's. It runs in the transaction of the table, so a table that fails a test never replaces the one before. The
   audit gets a result of each test, as if it had run by itself. Only the selectors `whole`, `frequent`,
   `frequent_again`, `shard` and `after_shards` leave these tests to this. A frequent build does not test what is built
   by batch: its tests read every reading or bucket there ever was. #}
{% macro run_tests_with_model() %}
    {%- set selector = invocation_args_dict.get('selector') -%}
    {%- set with_model = ('whole', 'frequent', 'frequent_again', 'shard', 'after_shards') -%}
    {%- if not execute or selector not in with_model or (is_frequent_build() and 'by_batch' in model.tags) -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set tests = graph.nodes.values() | selectattr('attached_node', 'equalto', model.unique_id) | list -%}
    {%- if not tests -%}
        {{- return('') -}}
    {%- endif -%}
    insert into build_audit.node_results
    with
    results as (
        {%- for test in tests %}
        select
            '{{ test.unique_id }}' as node_id,
            '{{ test.name }}' as test_name,
            {{ test.config.severity | upper == 'WARN' }} as only_warns,
            (select count(*) from ({{ generic_test_sql(test) }})) as failures
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ),
    broken as (
        select string_agg(test_name || ' found ' || failures || ' rows', ', ') as tests
        from results
        where failures > 0 and not only_warns
    )
    select
        '{{ invocation_id }}' as invocation_id,
        results.node_id,
        case
            when broken.tests is not null then error(broken.tests)
            when results.failures > 0 then 'warn'
            else 'pass'
        end as status,
        case when results.failures > 0 then results.failures || ' rows' else '' end as message,
        now() as finished_at
    from results
    cross join broken
{% endmacro %}


{% macro is_frequent_build() %}
    {{- return(invocation_args_dict.get('selector') in ('frequent', 'frequent_again')) -}}
{% endmacro %}


{% macro generic_test_sql(test) %}
    {%- set rows = this -%}
    {%- if test.config.where -%}
        {%- set rows = '(select * from ' ~ this ~ ' where ' ~ test.config.where ~ ') as tested' -%}
    {%- endif -%}
    {%- set arguments = dict(test.test_metadata.kwargs, model=rows) -%}
    {{- context['test_' ~ test.test_metadata.name](**arguments) -}}
{% endmacro %}
