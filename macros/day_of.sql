{# The day that a moment belongs to: a day holds its end at midnight and not its start, as a bucket of `metrics` does. #}
{% macro day_of(moment) %}
    cast({{ moment }} - interval '1 microsecond' as date)
{%- endmacro %}
