{# A digest of columns that names a row: as JSON, so that no name runs into the next and an empty one is not passed over. #}
{% macro row_digest(columns) %}
    md5(cast(to_json([{% for column in columns %}cast({{ column }} as varchar){{ ', ' if not loop.last }}{% endfor %}]) as varchar))
{%- endmacro %}
