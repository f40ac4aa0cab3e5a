{# The buckets of a store and category in a silence of more than `filled_silence`. They are filled for that long after the
   last reading, and for that long before the clock of the tables. In between there are none. Both limits are ends of
   days, so that a sum by day has either all buckets of a day or none. #}
{% macro filled_until(last_reading_at) %}
    cast({{ day_of(last_reading_at) }} + 1 as timestamp) + interval '{{ var("filled_silence") }}'
{%- endmacro %}


{% macro filled_from(as_of) %}
    cast({{ day_of(as_of) }} as timestamp) - interval '{{ var("filled_silence") }}'
{%- endmacro %}


{% macro is_unfilled(bucket_end, last_reading_at, as_of) %}
    {{ bucket_end }} > {{ filled_until(last_reading_at) }} and {{ bucket_end }} <= {{ filled_from(as_of) }}
{%- endmacro %}
