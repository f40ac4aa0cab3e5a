{# An incremental build goes on from a checkpoint: the batches that its tables were built from. The checkpoint is decided
   before the first model runs, since it decides which models are incremental. The folder models/intermediate/this_build
   holds what follows from it. A build that takes up one that was broken off starts from the same checkpoint. #}

{% macro note_checkpoint(readings) %}
    {%- set nodes = selected_by_batch() -%}
    {%- if not execute or not (nodes or var('shards')) -%}
        {{- return('select 1') -}}
    {%- endif -%}

    {%- set settings = build_settings() -%}
    {%- set checkpoint = none if flags.FULL_REFRESH or var('shards') else last_good_build(nodes) -%}
    {%- if checkpoint is not none and withdrawals_changed(checkpoint) -%}
        {%- do log('The withdrawn messages changed since the last build, so everything is built whole', info=true) -%}
        {%- do drop_tables(nodes) -%}
        {%- set checkpoint = none -%}
    {%- endif -%}
    {%- if checkpoint is not none -%}
        {%- do check_selection() -%}
        {%- do check_continuity(checkpoint, readings, settings, nodes) -%}
    {%- endif -%}

    insert into build_audit.checkpoints by name
    with
    raw as (
        select
            count(*) as reading_count,
            coalesce(max(batch_id), -1) as last_batch_id
        from {{ readings }}
        where {{ is_taken_in(nodes) }}
    )
    {% if checkpoint is none -%}
        select
            '{{ invocation_id }}' as invocation_id,
            '{{ settings }}' as settings,
            raw.*
        from raw
    {%- else -%}
        {%- set backfill = "timestamp '" ~ var('backfill_from') ~ "'" if var('backfill_from') else 'null' -%}
        , earlier_attempts as (
            select
                min(checkpoints.backfill_from) as backfill_from,
                min(checkpoints.late_before) as late_before
            from build_audit.checkpoints as checkpoints
            inner join build_audit.invocations as invocations
                on checkpoints.invocation_id = invocations.invocation_id
            where invocations.started_at > timestamptz '{{ checkpoint.started_at }}'
        ),
        existing as (
            select max(event_timestamp) as newest_reading_at
            from {{ adapter.get_relation(target.database, target.schema, 'int_accepted_readings') }}
            where reading_after_at is null
        )
        select
            '{{ invocation_id }}' as invocation_id,
            '{{ settings }}' as settings,
            raw.*,
            {{ checkpoint.last_batch_id }} as after_batch_id,
            least(earlier_attempts.backfill_from, {{ backfill }}) as backfill_from,
            -- without a reading in the tables none is late
            coalesce(
                least(
                    earlier_attempts.late_before,
                    existing.newest_reading_at - interval '{{ var("late_after") }}',
                    {{ backfill }}
                ),
                timestamp '-infinity'
            ) as late_before
        from raw
        cross join existing
        cross join earlier_attempts
    {%- endif -%}
{% endmacro %}


{# The selected models that are built batch by batch. #}
{% macro selected_by_batch() %}
    {%- set nodes = [] -%}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- for node in graph.nodes.values() if 'by_batch' in node.tags and node.unique_id in selected_resources -%}
            {%- do nodes.append(node) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(nodes) -}}
{% endmacro %}


{# Without the models of this_build before it, a model would take in what an earlier build had to. #}
{% macro check_selection() %}
    {%- set selected = graph.nodes.values() | selectattr('unique_id', 'in', selected_resources) -%}
    {%- for node in selected if node.resource_type == 'model' -%}
        {%- for parent in node.depends_on.nodes if parent not in selected_resources -%}
            {%- if 'this_build' in graph.nodes.get(parent, {}).get('tags', []) -%}
                {%- do exceptions.raise_compiler_error(
                    'An incremental build of ' ~ node.name ~ ' needs ' ~ graph.nodes[parent].name
                    ~ '. Add `tag:this_build` to what is selected.'
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}


{# No model can take in what a model before it, which is not selected, has not. #}
{% macro is_taken_in(nodes) %}
    {%- set unselected = [] -%}
    {%- for node in nodes -%}
        {%- for parent in node.depends_on.nodes if parent not in selected_resources -%}
            {%- if 'by_batch' in graph.nodes.get(parent, {}).get('tags', []) -%} {%- do unselected.append(parent) -%} {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if not unselected -%}
        {{- return('true') -}}
    {%- endif -%}
    batch_id <= (
        select min(last_batch_id)
        from (
            select arg_max(checkpoints.last_batch_id, invocations.started_at) as last_batch_id
            from build_audit.node_results as results
            inner join build_audit.invocations as invocations
                on results.invocation_id = invocations.invocation_id
            inner join build_audit.checkpoints as checkpoints
                on results.invocation_id = checkpoints.invocation_id
            where
                results.node_id in ('{{ unselected | join("', '") }}')
                and results.status = 'success'
            group by results.node_id
        )
    )
{%- endmacro %}


{# Whether this build goes on from no checkpoint. #}
{% macro is_built_whole() %}
    {%- set query -%}
        select count(*) from build_audit.checkpoints
        where
            invocation_id = '{{ invocation_id }}'
            and after_batch_id is null
    {%- endset -%}
    {{- return(run_query(query).rows[0][0] == 1) -}}
{% endmacro %}


{# What the tables depend on beside the readings. Tables that were built with other settings cannot be added to. Of the
   rules only their ids, thresholds and conditions count: their words may change. The seed is read from its file, since
   this build has not loaded it yet. #}
{% macro build_settings() %}
    {%- set seed = graph.nodes['seed.inventory.anomaly_rules'] -%}
    {%- set query -%}
        select md5(string_agg(concat_ws(' ', rule_id, threshold), ', ' order by rule_id))
        from read_csv('{{ (seed.root_path ~ "/" ~ seed.original_file_path) | replace("'", "''") }}', header = true)
    {%- endset -%}
    {%- set settings = {
        'anomaly_rules': run_query(query).rows[0][0],
        'kept_for_rules': local_md5(kept_for_rules('reading') ~ kept_for_rules('day')),
        'withdrawals': withdrawals_in_raw(),
        'max_age_years': max_age_years(),
    } -%}
    {%- for name in (
        'as_of', 'metrics_grain', 'turnover_window', 'filled_silence', 'spike_returns_within', 'spike_return_share',
        'closure_lasts_within', 'accepted_quantity', 'accepted_price', 'accepted_times_usual', 'always_accepted',
        'accepted_after',
    ) -%}
        {%- do settings.update({name: var(name)}) -%}
    {%- endfor -%}
    {{- return(tojson(settings, sort_keys=true) | replace("'", "''")) -}}
{% endmacro %}


{# The file that lists what raw leaves out, empty where nothing was ever withdrawn. Each change writes a new file, and raw
   is then refined again from its first batch. #}
{% macro withdrawals_in_raw() %}
    {%- set query -%}
        select coalesce(max(parse_filename(file)), '')
        from glob('{{ data_dir() | replace("'", "''") }}/raw/withdrawn-*.parquet')
    {%- endset -%}
    {{- return(run_query(query).rows[0][0] if execute else '') -}}
{% endmacro %}


{% macro withdrawals_changed(checkpoint) %}
    {{- return(fromjson(checkpoint.settings).get('withdrawals', '') != withdrawals_in_raw()) -}}
{% endmacro %}


{% macro drop_tables(nodes) %}
    {%- for node in nodes -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if relation is not none -%} {%- do adapter.drop_relation(relation) -%} {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{# The oldest of the models' newest good builds: whatever came later is new to at least one of them. A model whose table
   does not exist yet is built whole, beside the others. So is one whose table no build finished since the accepted
   readings, which all others read, were built whole: its table is dropped. #}
{% macro last_good_build(nodes) %}
    {%- set builds = [] -%}
    {%- for node in nodes -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if relation is not none -%}
            {%- set query -%}
                select
                    cast(invocations.started_at as varchar) as started_at,
                    checkpoints.last_batch_id,
                    checkpoints.reading_count,
                    checkpoints.settings
                from build_audit.node_results as results
                inner join build_audit.invocations as invocations
                    on results.invocation_id = invocations.invocation_id
                inner join build_audit.checkpoints as checkpoints
                    on results.invocation_id = checkpoints.invocation_id
                where
                    results.node_id = '{{ node.unique_id }}'
                    and results.status = 'success'
                    and invocations.started_at >= (
                        select max(whole_builds.started_at)
                        from build_audit.invocations as whole_builds
                        inner join build_audit.checkpoints as whole_checkpoints
                            on whole_builds.invocation_id = whole_checkpoints.invocation_id
                        inner join build_audit.node_results as whole_results
                            on whole_builds.invocation_id = whole_results.invocation_id
                        where
                            whole_checkpoints.after_batch_id is null
                            and whole_results.node_id = 'model.inventory.int_accepted_readings'
                            and whole_results.status = 'success'
                    )
                order by invocations.started_at desc
                limit 1
            {%- endset -%}
            {%- set newest = run_query(query).rows -%}
            {%- if newest | length == 1 -%}
                {%- do builds.append(newest[0]) -%}
            {%- else -%}
                {%- do log(node.name ~ ': no build finished it since the accepted readings were built whole, so it is built whole', info=true) -%}
                {%- do adapter.drop_relation(relation) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if adapter.get_relation(target.database, target.schema, 'int_accepted_readings') is none -%}
        {%- do drop_tables(nodes) -%}
        {{- return(none) -}}
    {%- endif -%}
    {{- return((builds | sort(attribute='started_at'))[0] if builds else none) -}}
{% endmacro %}


{% macro check_continuity(checkpoint, readings, settings, nodes) %}
    {%- set query -%}
        select count(*) from {{ readings }} where batch_id <= {{ checkpoint.last_batch_id }}
    {%- endset -%}
    {%- set reading_count = run_query(query).rows[0][0] -%}
    {%- if reading_count != checkpoint.reading_count -%}
        {%- do exceptions.raise_compiler_error(
            'Raw has ' ~ reading_count ~ ' readings up to batch ' ~ checkpoint.last_batch_id ~ ', the tables were built from '
            ~ checkpoint.reading_count ~ ': raw was rebuilt. Run `dbt build --full-refresh`.'
        ) -%}
    {%- endif -%}
    {%- if settings | replace("''", "'") != checkpoint.settings -%}
        {%- do exceptions.raise_compiler_error(
            'The tables were built with ' ~ checkpoint.settings ~ ', this build has ' ~ settings
            ~ '. Run `dbt build --full-refresh`.'
        ) -%}
    {%- endif -%}
    {%- for node in nodes -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if relation is not none -%}
            {%- set query -%}
                select column_name from information_schema.columns
                where
                    table_catalog = '{{ node.database }}'
                    and table_schema = '{{ node.schema }}'
                    and table_name = '{{ node.alias }}'
            {%- endset -%}
            {%- set missing = node.columns | reject('in', run_query(query).columns[0].values()) | join(', ') -%}
            {%- if missing -%}
                {%- do exceptions.raise_compiler_error(
                    node.name ~ ' was built by another version, without ' ~ missing ~ '. Run `dbt build --full-refresh`.'
                ) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{# Before an incremental build: delete the rows of touched products or stores, or a part of them, which it makes again. #}
{% macro delete_touched(touched, part=none, key=['store_location', 'product_id']) %}
    {% if is_incremental() %}
        delete from {{ this }} as stored using {{ touched }} as touched
        where
            {% for column in key %} stored.{{ column }} = touched.{{ column }} {{ 'and' if not loop.last }} {% endfor %}
            {% if part %} and stored.{{ part }} {% endif %}
    {% endif %}
{% endmacro %}


{# What the first row of a series carries from the rows before it, which an incremental build does not read. #}
{% macro first_existing(column) %}
    {{- 'first_value(existing_' ~ column ~ ') over series_readings' if is_incremental() else 'null' -}}
{% endmacro %}
