{# When people's actions are judged, UTC: a snooze ends by their clock, whether readings come or not. #}
{% macro build_time() -%}
    timestamp '{{ var("as_of") or run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}'
{%- endmacro %}
