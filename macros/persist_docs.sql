{# A table that only grew has its comments already. To write them again, three statements for each table, takes a tenth of
   a frequent build. #}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) %}
    {%- if not is_frequent_build() or model.config.materialized != 'incremental' -%}
        {{- default__persist_docs(relation, model, for_relation, for_columns) -}}
    {%- endif -%}
{% endmacro %}
