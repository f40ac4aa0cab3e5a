{# The sources that hold messages. A data folder has landing, or quarantine where Spark reads the topic itself, or both. #}
{% macro message_folders() %}
    {%- set found = [] -%}
    {%- for folder in ['landing', 'quarantine'] -%}
        {%- if data_files_exist(folder ~ '/publish_date=*/*.parquet') -%} {%- do found.append(folder) -%} {%- endif -%}
    {%- endfor -%}
    {{- return(found or ['landing']) -}}
{% endmacro %}
