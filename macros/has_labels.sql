{# Whether the data folder has labels of anomalies: simulated events have, a shop's own have none. #}
{% macro has_labels() %}
    {%- set query -%}
        select count(*)
        from glob('{{ env_var("INVENTORY_DATA_DIR", "data") | replace("'", "''") }}/events/*.truth/anomalies.csv')
    {%- endset -%}
    {{- return(run_query(query).rows[0][0] > 0 if execute else true) -}}
{% endmacro %}
