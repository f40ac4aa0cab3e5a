{# A stage of `inventory live` that did not work on a day, though it was started again; readings of before stay on show. #}
{% macro rule__feed__failing_stage() %}
    select
        cast(null as varchar) as store_location,
        cast(null as varchar) as category,
        cast(null as varchar) as product_id,
        cast(cast(failed_at as date) as timestamp) as event_timestamp,
        count(*) as observed_value,
        count(*) as score,
        -- the message goes on after a full stop of its own
        stage || ': ' || rtrim(arg_max(problem, failed_at), '.') as evidence
    from stage_failures
    group by cast(failed_at as date), stage
{% endmacro %}
