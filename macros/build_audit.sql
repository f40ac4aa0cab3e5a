{# What was built when, from which batches, and how it went. It is kept in the warehouse, beside the tables, since publishing
   and incremental builds read it. #}

{% macro record_invocation() %}
    {% if execute and flags.WHICH in ('build', 'run', 'test', 'seed') %}
        create schema if not exists build_audit;
        create table if not exists build_audit.invocations (
            invocation_id varchar,
            command varchar,
            started_at timestamptz,
            finished_at timestamptz,
            passed_test_count bigint,
            failed_count bigint
        );
        -- the table of an older version lacks them
        alter table build_audit.invocations add column if not exists passed_test_count bigint;
        alter table build_audit.invocations add column if not exists failed_count bigint;
        create table if not exists build_audit.node_results (
            invocation_id varchar, node_id varchar, status varchar, message varchar, finished_at timestamptz
        );
        create table if not exists build_audit.checkpoints (
            invocation_id varchar,
            settings varchar,
            reading_count bigint,
            last_batch_id bigint,
            after_batch_id bigint,
            backfill_from timestamp,
            late_before timestamp
        );
        create table if not exists build_audit.product_parts (first_store varchar, first_product varchar);
        insert into build_audit.invocations (invocation_id, command, started_at)
        values ('{{ invocation_id }}', '{{ flags.WHICH }}', now())
    {% else %}
        select 1
    {% endif %}
{% endmacro %}


{% macro record_node_results(results) %}
    {% if execute and flags.WHICH in ('build', 'run', 'test', 'seed') %}
        {% if results %}
            insert into build_audit.node_results
            values
            {% for result in results %}
                (
                    '{{ invocation_id }}',
                    '{{ result.node.unique_id }}',
                    '{{ result.status }}',
                    '{{ (result.message or "") | string | truncate(500) | replace("'", "''") }}',
                    now()
                ){{ "," if not loop.last }}
            {% endfor %};
        {% endif %}
        update build_audit.invocations
        set
            finished_at = now(),
            passed_test_count = counts.passed_test_count,
            failed_count = counts.failed_count
        from (
            select
                count(distinct node_id) filter (
                    where split_part(node_id, '.', 1) in ('test', 'unit_test') and status in ('pass', 'warn')
                ) as passed_test_count,
                count(distinct node_id) filter (where status in ('fail', 'error')) as failed_count
            from build_audit.node_results
            where invocation_id = '{{ invocation_id }}'
        ) as counts
        where invocation_id = '{{ invocation_id }}';
        {{ forget_superseded_results() }}
    {% else %}
        select 1
    {% endif %}
{% endmacro %}


{# A build every few seconds leaves some hundred results each time, and every build reads them. The newest of each node and
   status say what failed and what incremental builds go on from. When the accepted readings were last built whole, all
   tables were. Of good builds of more than a day ago the last of each hour shows the history. #}
{% macro forget_superseded_results() %}
    delete from build_audit.node_results
    where
        rowid not in (
            select arg_max(rowid, finished_at)
            from build_audit.node_results
            group by node_id, status
        )
        and rowid not in (
            select coalesce(arg_max(rowid, finished_at), -1)
            from build_audit.node_results
            where
                node_id = 'model.inventory.int_accepted_readings'
                and status = 'success'
                and invocation_id in (select invocation_id from build_audit.checkpoints where after_batch_id is null)
        );
    delete from build_audit.invocations
    where
        started_at < now() - interval 1 day
        and finished_at is not null
        and coalesce(failed_count, 0) = 0
        and invocation_id not in (select invocation_id from build_audit.node_results)
        and invocation_id not in (
            select arg_max(invocation_id, started_at)
            from build_audit.invocations
            group by command, date_trunc('hour', started_at)
        );
    delete from build_audit.checkpoints
    where invocation_id not in (select invocation_id from build_audit.invocations)
{% endmacro %}
