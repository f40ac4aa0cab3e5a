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
        interval '{{ var("spike_returns_within") }}', interval '{{ var("closure_lasts_within") }}' + interval '1 day'
    )
{%- endmacro %}
