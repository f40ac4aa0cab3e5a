{# An incremental build looks at the batches that came since the last one. Which these are, which of their readings are
   late, and from when on figures change, is noted before the first model runs: all models of a build agree on it, and
   a build that takes up one that was broken off does the same work again. #}

{% macro note_batches(readings) %}
    {%- set followers = [] -%}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- for node in graph.nodes.values() if 'by_batch' in node.tags and node.unique_id in selected_resources -%}
            {%- do followers.append(node) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if not followers -%}
        {{- return('select 1') -}}
    {%- endif -%}

    {%- set settings = build_settings() -%}
    {%- set mark = none if flags.FULL_REFRESH else last_good_build(followers) -%}
    {%- if mark is not none and withdrawals_changed(mark) -%}
        {%- do log('The withdrawn messages changed since the last build, so everything is built whole', info=true) -%}
        {%- do drop_tables(followers) -%}
        {%- set mark = none -%}
    {%- endif -%}
    {%- if mark is not none -%}
        {%- do check_continuity(mark, readings, settings, followers) -%}
    {%- endif -%}

    {%- set backfill = "timestamp '" ~ var('backfill_from') ~ "'" if var('backfill_from') else 'null' -%}

    insert into build_audit.batches by name
    with
    raw as (
        select
            count(*) as reading_count,
            coalesce(max(batch_id), -1) as last_batch_id
        from {{ readings }}
    )
    {% if mark is none -%}
        select
            '{{ invocation_id }}' as invocation_id,
            '{{ settings }}' as settings,
            raw.*
        from raw
    {%- else -%}
        , earlier_attempts as (
            select
                min(batches.backfill_from) as backfill_from,
                min(batches.late_before) as late_before,
                min(batches.unchanged_until) as unchanged_until
            from build_audit.batches as batches
            inner join build_audit.invocations as invocations
                on batches.invocation_id = invocations.invocation_id
            where invocations.started_at > timestamptz '{{ mark.started_at }}'
        ),
        standing as (
            select max(event_timestamp) as newest_reading_at
            from {{ adapter.get_relation(target.database, target.schema, 'int_accepted_readings') }}
            where reading_after_at is null
        ),
        limits as (
            select
                least(earlier_attempts.backfill_from, {{ backfill }}) as backfill_from,
                -- where no reading stands none is late
                coalesce(
                    least(
                        earlier_attempts.late_before,
                        standing.newest_reading_at - interval '{{ var("late_after") }}',
                        {{ backfill }}
                    ),
                    timestamp '-infinity'
                ) as late_before,
                coalesce(
                    least(earlier_attempts.unchanged_until, standing.newest_reading_at), timestamp '-infinity'
                ) as unchanged_until
            from standing
            cross join earlier_attempts
        )
        select
            '{{ invocation_id }}' as invocation_id,
            '{{ settings }}' as settings,
            raw.*,
            {{ mark.last_batch_id }} as after_batch_id,
            limits.*
        from raw
        cross join limits
    {%- endif -%}
{% endmacro %}


{% macro note_new_readings(readings) %}
    {%- if not execute or flags.WHICH not in ('build', 'run') or noted('late_before') is none -%}
        {{- return('select 1') -}}
    {%- endif -%}
    create or replace table build_audit.new_readings as
    select * from {{ readings }}
    where
        {% if noted('backfill_from') is none -%} batch_id > {{ noted('after_batch_id') }} and {% endif -%}
        event_timestamp >= timestamp '{{ noted("late_before") }}';

    update build_audit.batches
    set unchanged_until = least(unchanged_until, (select min(changed_from) from ({{ touched_stores() }})))
    where invocation_id = '{{ invocation_id }}'
{% endmacro %}


{# What the tables rest on beside the readings; with another of these, what stands cannot be added to. Of the rules these
   are the limits, which there are and what they ask for: their words may change. The seed is read from its file, since
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


{# The file in which raw notes what it leaves out, empty where nothing was ever withdrawn. Each change has a new one, and
   raw is then refined again from its first batch. #}
{% macro withdrawals_in_raw() %}
    {%- set query -%}
        select coalesce(max(parse_filename(file)), '')
        from glob('{{ env_var("INVENTORY_DATA_DIR", "data") | replace("'", "''") }}/raw/withdrawn-*.parquet')
    {%- endset -%}
    {{- return(run_query(query).rows[0][0] if execute else '') -}}
{% endmacro %}


{% macro withdrawals_changed(mark) %}
    {{- return(fromjson(mark.settings).get('withdrawals', '') != withdrawals_in_raw()) -}}
{% endmacro %}


{% macro drop_tables(nodes) %}
    {%- for node in nodes -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if relation is not none -%} {%- do adapter.drop_relation(relation) -%} {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{# The oldest of the models' newest good builds: what came since then is new to at least one of them. A table is dropped,
   so that it is built whole, when no build of it was noted as good (its run was killed) since the levels, on which all
   rest, were built whole. #}
{% macro last_good_build(followers) %}
    {%- set builds = [] -%}
    {%- for node in followers -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if relation is not none -%}
            {%- set query -%}
                select
                    cast(invocations.started_at as varchar) as started_at,
                    batches.last_batch_id,
                    batches.reading_count,
                    batches.settings
                from build_audit.node_results as results
                inner join build_audit.invocations as invocations
                    on results.invocation_id = invocations.invocation_id
                inner join build_audit.batches as batches
                    on results.invocation_id = batches.invocation_id
                where
                    results.node_id = '{{ node.unique_id }}'
                    and results.status = 'success'
                    and invocations.started_at >= (
                        select max(whole_builds.started_at)
                        from build_audit.invocations as whole_builds
                        inner join build_audit.batches as whole_batches
                            on whole_builds.invocation_id = whole_batches.invocation_id
                        inner join build_audit.node_results as whole_results
                            on whole_builds.invocation_id = whole_results.invocation_id
                        where
                            whole_batches.after_batch_id is null
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
                {%- do log(node.name ~ ': it was not built to its end since the levels were built whole, so it is built whole', info=true) -%}
                {%- do adapter.drop_relation(relation) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if adapter.get_relation(target.database, target.schema, 'int_accepted_readings') is none -%}
        {%- do drop_tables(followers) -%}
        {{- return(none) -}}
    {%- endif -%}
    {{- return((builds | sort(attribute='started_at'))[0] if builds else none) -}}
{% endmacro %}


{% macro check_continuity(mark, readings, settings, followers) %}
    {%- set query -%}
        select count(*) from {{ readings }} where batch_id <= {{ mark.last_batch_id }}
    {%- endset -%}
    {%- set reading_count = run_query(query).rows[0][0] -%}
    {%- if reading_count != mark.reading_count -%}
        {%- do exceptions.raise_compiler_error(
            'Raw has ' ~ reading_count ~ ' readings up to batch ' ~ mark.last_batch_id ~ ', the tables were built from '
            ~ mark.reading_count ~ ': raw was made anew. Run `dbt build --full-refresh`.'
        ) -%}
    {%- endif -%}
    {%- if settings | replace("''", "'") != mark.settings -%}
        {%- do exceptions.raise_compiler_error(
            'The tables were built with ' ~ mark.settings ~ ', this build has ' ~ settings
            ~ '. Run `dbt build --full-refresh`.'
        ) -%}
    {%- endif -%}
    {%- for node in followers -%}
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


{% macro noted(column) %}
    {%- set query -%}
        select cast({{ column }} as varchar) from build_audit.batches where invocation_id = '{{ invocation_id }}'
    {%- endset -%}
    {%- set rows = run_query(query).rows if execute else [] -%}
    {{- return(rows[0][0] if rows else none) -}}
{% endmacro %}


{% macro new_readings() %}
    {{- 'build_audit.new_readings' -}}
{% endmacro %}


{% macro is_late_reading() %}
    batch_id > {{ noted('after_batch_id') }} and event_timestamp < timestamp '{{ noted("late_before") }}'
{%- endmacro %}


{% macro is_judged_again() %}
    batch_id > {{ noted('after_batch_id') }}
    {%- if noted('backfill_from') is not none %} or event_timestamp >= timestamp '{{ noted("late_before") }}'{% endif %}
{%- endmacro %}


{% macro unchanged_until() %}
    {{- "timestamp '" ~ noted('unchanged_until') ~ "'" -}}
{% endmacro %}


{% macro touched_stores() %}
    select
        store_location,
        {{ judged_again_before('min(event_timestamp)') }} as changed_from
    from {{ new_readings() }}
    group by store_location
{%- endmacro %}


{# Beside the products that were read, those of their stores that were empty: a reading of one product may tell that the
   store was closed. #}
{% macro touched_products() %}
    select
        store_location,
        product_id,
        min(changed_from) as changed_from
    from (
        select
            store_location,
            product_id,
            {{ judged_again_before('event_timestamp') }} as changed_from
        from {{ new_readings() }}
        union all
        select
            empty_shelves.store_location,
            empty_shelves.product_id,
            empty_shelves.event_timestamp as changed_from
        from {{ ref('int_accepted_readings') }} as empty_shelves
        inner join ({{ touched_stores() }}) as stores
            on
                empty_shelves.store_location = stores.store_location
                and empty_shelves.event_timestamp >= stores.changed_from
        where
            empty_shelves.stock_level = 0
            and empty_shelves.event_timestamp >= {{ unchanged_until() }}
    )
    group by store_location, product_id
{%- endmacro %}


{# The rows on which an incremental build judges the touched products anew, as common table expressions from
   touched_products to relevant_<rows>: the recent ones, and the whole past of products that have too few of them. #}
{% macro relevant_past(rows, recent, too_few) %}
    touched_products as materialized (

        {{ touched_products() }}

    ),

    lately as materialized (

        select
            {{ rows }}.*,
            touched_products.changed_from
        from {{ rows }}
        inner join touched_products
            on
                {{ rows }}.store_location = touched_products.store_location
                and {{ rows }}.product_id = touched_products.product_id
        where {{ recent }}

    ),

    with_too_few as (

        select
            store_location,
            product_id
        from lately
        group by store_location, product_id
        having {{ too_few }}

    ),

    relevant_{{ rows }} as materialized (

        select lately.* exclude (changed_from)
        from lately
        anti join with_too_few
            on
                lately.store_location = with_too_few.store_location
                and lately.product_id = with_too_few.product_id
        union all
        select {{ rows }}.*
        from {{ rows }}
        semi join with_too_few
            on
                {{ rows }}.store_location = with_too_few.store_location
                and {{ rows }}.product_id = with_too_few.product_id

    ),
{%- endmacro %}


{# Before an incremental build makes touched products or stores anew: take out their existing rows, or a part of them. #}
{% macro delete_touched(touched, part=none, key=['store_location', 'product_id']) %}
    {% if is_incremental() %}
        delete from {{ this }} as stored using ({{ touched }}) as touched
        where
            {% for column in key %} stored.{{ column }} = touched.{{ column }} {{ 'and' if not loop.last }} {% endfor %}
            {% if part %} and stored.{{ part }} {% endif %}
    {% endif %}
{% endmacro %}


{% macro or_existing(expression, column) %}
    {%- if is_incremental() -%}
        coalesce({{ expression }}, first_value(existing_{{ column }}) over series_readings)
    {%- else -%}
        {{- expression -}}
    {%- endif -%}
{% endmacro %}
