{# DuckDB refuses a pattern that finds no file, and most data folders have no notes. #}
{% macro notes_are_landed() %}
    {%- set query -%}
        select count(*)
        from glob(
            '{{ env_var("INVENTORY_DATA_DIR", "data") | replace("'", "''") }}/landing_notes/publish_date=*/*.parquet'
        )
    {%- endset -%}
    {{- return(run_query(query).rows[0][0] > 0 if execute else true) -}}
{% endmacro %}
