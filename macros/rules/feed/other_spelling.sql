{# A name that is also sent in a spelling that looks the same: with spaces at its ends, invisible characters, or letters
   composed of parts. The intake takes both for one name and keeps what was sent in `extra`. #}
{% macro rule__feed__other_spelling() %}
    {%- set grouped_by = {
        'store_location': ['cast(null as varchar)', 'cast(null as varchar)'],
        'category': ['category', 'cast(null as varchar)'],
        'product_id': ['any_value(category order by arrival)', 'product_id'],
    } -%}
    {%- for name, others in grouped_by.items() %}
    select
        store_location,
        {{ others[0] }} as category,
        {{ others[1] }} as product_id,
        max(event_timestamp) as event_timestamp,
        count(*) as observed_value,
        observed_value as score,
        array_to_string(list_sort(list(distinct '''' || shown || ''''))[:3], ', ') as evidence
    from (
        select
            *,
            extra ->> '{{ name }}_as_sent' as spelling,
            -- what no page shows, or shows by turning the text around
            left(regexp_replace(spelling, '\pC', '�', 'g'), 80) as shown
        from readings
        where extra like '%"{{ name }}_as_sent":%'
    )
    where spelling is not null
    group by store_location{{ '' if name == 'store_location' else ', ' ~ name }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}
