{# Whether the data folder has files of a pattern, relative to it. DuckDB refuses to read a pattern that finds no file. #}
{% macro data_files_exist(pattern) %}
    {%- set query -%}
        select count(*)
        from glob('{{ data_dir() | replace("'", "''") }}/{{ pattern }}')
    {%- endset -%}
    {{- return(run_query(query).rows[0][0] > 0 if execute else true) -}}
{% endmacro %}


{# The data folder. As the commands take them, an empty variable is none. #}
{% macro data_dir() -%}
    {{- return(env_var('INVENTORY_DATA_DIR', 'data') or 'data') -}}
{%- endmacro %}
