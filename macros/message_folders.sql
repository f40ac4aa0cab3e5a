{# The sources that hold messages. A data folder has landing, or quarantine where Spark reads the topic itself, or both,
   and DuckDB refuses a list of patterns of which one finds no file. #}
{% macro message_folders() %}
    {%- if not execute -%} {{- return(['landing', 'quarantine']) -}} {%- endif -%}
    {%- set found = [] -%}
    {%- for folder in ['landing', 'quarantine'] -%}
        {%- set query -%}
            select count(*)
            from glob(
                '{{ env_var("INVENTORY_DATA_DIR", "data") | replace("'", "''") }}/{{ folder }}/publish_date=*/*.parquet'
            )
        {%- endset -%}
        {%- if run_query(query).rows[0][0] -%} {%- do found.append(folder) -%} {%- endif -%}
    {%- endfor -%}
    {{- return(found or ['landing']) -}}
{% endmacro %}
