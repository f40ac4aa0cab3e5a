{# The end of the bucket of `metrics` that a timestamp belongs to: a bucket ending at b holds the readings in (b - grain, b]. #}
{% macro bucket_of(event_timestamp) %}
    {%- set grain = "interval '" ~ var('metrics_grain') ~ "'" -%}
    time_bucket({{ grain }}, {{ event_timestamp }} - interval '1 microsecond') + {{ grain }}
{%- endmacro %}
