{# An hour's messages of one source that nearly all came before: a file or a backlog sent again. Repeats change no figure;
   whoever sends them should know. Only messages whose reading is known count, so that what is landed and not yet
   refined is no repeat. #}
{% macro rule__feed__duplicate_batch() %}
    select
        cast(null as varchar) as store_location,
        cast(null as varchar) as category,
        cast(null as varchar) as product_id,
        batch_hour as event_timestamp,
        sum(known_count - fresh_count) as observed_value,
        sum(known_count - fresh_count) / sum(message_count) as score,
        string_agg(distinct topic, ', ' order by topic asc) as evidence
    from message_batches
    where known_count - fresh_count >= {{ rule_threshold('duplicate_batch') }} * message_count
    group by batch_hour
{% endmacro %}
