{# What is usual for a product is what its readings of the last 30 days say: bounded, so that an incremental build judges
   as a full refresh does. #}
{% macro recent_past_length() -%}
    interval '30 days'
{%- endmacro %}


{% macro recent_past(timestamp) -%}
    {{ timestamp }} - {{ recent_past_length() }}
{%- endmacro %}


{# Products of a store that fall within a day fall at once: not every store reads all of them at one time. #}
{% macro just_fallen_until(dips) -%}
    least({{ dips }}.refilled_at, {{ dips }}.emptied_at + interval '1 day')
{%- endmacro %}


{# How far before a new reading a judgement may change: it may end a spike, or a closure that other products fell into a
   day earlier. #}
{% macro judged_again_before(timestamp) -%}
    {{ timestamp }} - greatest(
        interval '{{ var("spike_returns_within") }}',
        interval '{{ var("closure_lasts_within") }}' + interval '1 day',
        interval '{{ var("accepted_after") }}'
    )
{%- endmacro %}


{# The spans in which a value of a product lies far beyond its own past: from the reading that jumps there to the one that
   comes back, or until the value has stood for so long that it counts. Common table expressions, from jumps to
   beyond_own_past. A run of such readings is judged by the past of its first, so it cannot raise its own limit. #}
{% macro beyond_own_past(rows, value, value_before) %}
    jumps as materialized (

        select
            store_location,
            product_id,
            event_timestamp as suspect_from,
            {{ value }} as jumped_to,
            {{ value_before }} as jumped_from
        from {{ rows }}
        where
            {{ value }} > {{ var('always_accepted') }}
            and {{ value }} > 10 * {{ value_before }}

    ),

    -- four of five readings were no higher; an empty shelf says nothing about how much it holds
    usual as (

        select
            jumps.store_location,
            jumps.product_id,
            jumps.suspect_from,
            jumps.jumped_to,
            jumps.jumped_from,
            quantile_disc({{ rows }}.{{ value }}, 0.8) as usual_value
        from jumps
        inner join {{ rows }}
            on
                jumps.store_location = {{ rows }}.store_location
                and jumps.product_id = {{ rows }}.product_id
                and {{ recent_past('jumps.suspect_from') }} <= {{ rows }}.event_timestamp
                and jumps.suspect_from > {{ rows }}.event_timestamp
        where {{ rows }}.{{ value }} > 0
        group by all
        having count(*) >= 10

    ),

    limits as (

        select
            *,
            greatest({{ var('accepted_times_usual') }} * usual_value, {{ var('always_accepted') }}) as highest_accepted
        from usual

    ),

    beyond_own_past as materialized (

        select
            limits.store_location,
            limits.product_id,
            limits.suspect_from,
            limits.usual_value,
            limits.highest_accepted,
            coalesce(
                min({{ rows }}.event_timestamp) filter (where {{ rows }}.{{ value }} <= limits.highest_accepted),
                min(limits.suspect_from) + interval '{{ var("accepted_after") }}'
            ) as suspect_until
        from limits
        left join {{ rows }}
            on
                limits.store_location = {{ rows }}.store_location
                and limits.product_id = {{ rows }}.product_id
                and limits.suspect_from < {{ rows }}.event_timestamp
                and limits.suspect_from + interval '{{ var("accepted_after") }}' > {{ rows }}.event_timestamp
        where
            limits.jumped_to > limits.highest_accepted
            and limits.jumped_from <= limits.highest_accepted
        group by all

    ),
{%- endmacro %}
