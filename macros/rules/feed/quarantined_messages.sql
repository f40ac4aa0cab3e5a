{# Messages of one day that were rejected: they are in quarantine and missing from every figure. #}
{% macro rule__feed__quarantined_messages() %}
    select
        cast(null as varchar) as store_location,
        cast(null as varchar) as category,
        cast(null as varchar) as product_id,
        cast(cast(published_at as date) as timestamp) as event_timestamp,
        count(*) filter (where is_quarantined) as observed_value,
        count(*) filter (where is_quarantined) / count(*) as score,
        mode(rejection_reason order by rejection_reason asc) as evidence
    from messages
    group by cast(published_at as date)
    having count(*) filter (where is_quarantined) > 0
{% endmacro %}
