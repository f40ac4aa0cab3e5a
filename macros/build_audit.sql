{# What was built when, from which batches, and how it went. It is kept in the warehouse, beside the tables, since publishing
   and incremental builds read it. #}

{% macro record_invocation() %}
    {% if execute and flags.WHICH in ('build', 'run', 'test', 'seed') %}
        create schema if not exists build_audit;
        create table if not exists build_audit.invocations (
            invocation_id varchar, command varchar, started_at timestamptz, finished_at timestamptz
        );
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
        insert into build_audit.invocations
        values ('{{ invocation_id }}', '{{ flags.WHICH }}', now(), null)
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
        update build_audit.invocations set finished_at = now() where invocation_id = '{{ invocation_id }}'
    {% else %}
        select 1
    {% endif %}
{% endmacro %}
