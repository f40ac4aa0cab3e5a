{# The name of a series in a panel. A slash within a part is escaped, so that two series never share a name. #}
{% macro series_id(store_location, member) %}
    {%- for part in (store_location, member) -%}
        replace(replace({{ part }}, '%', '%25'), '/', '%2F'){% if not loop.last %} || '/' || {% endif %}
    {%- endfor -%}
{% endmacro %}
