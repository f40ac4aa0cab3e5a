{# The day that a timestamp belongs to. Midnight ends a day, as the end of a bucket of `metrics` belongs to the bucket. #}
{% macro day_of(timestamp) %}
    cast({{ timestamp }} - interval '1 microsecond' as date)
{%- endmacro %}
