{# The buckets of a group in a silence of more than `filled_silence`. They are filled up to the end of the day that lies so
   long after the group's last reading, and from the day on that lies so long before the clock of the tables; in between
   stands none. Whole days, so that what is summed by day has either all buckets of a day or none. #}
{% macro filled_until(last_reading_at) %}
    cast({{ day_of(last_reading_at) }} + 1 as timestamp) + interval '{{ var("filled_silence") }}'
{%- endmacro %}


{% macro filled_from(as_of) %}
    cast({{ day_of(as_of) }} as timestamp) - interval '{{ var("filled_silence") }}'
{%- endmacro %}


{% macro is_unfilled(bucket_end, last_reading_at, as_of) %}
    {{ bucket_end }} > {{ filled_until(last_reading_at) }} and {{ bucket_end }} <= {{ filled_from(as_of) }}
{%- endmacro %}
