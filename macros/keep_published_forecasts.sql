{# A published forecast is never made again, so no rebuild may lose it. Warehouses of an earlier version hold them in the
   table fct_forecasts, which is a view of int_published_forecasts now, and without the choice among the models: it was
   the ensemble. #}
{% macro keep_published_forecasts() %}
    {%- if not execute or flags.WHICH not in ('build', 'run') -%}
        {{- return('select 1') -}}
    {%- endif -%}
    {%- set published = adapter.get_relation(target.database, target.schema, 'int_published_forecasts') -%}
    {%- set earlier = adapter.get_relation(target.database, target.schema, 'fct_forecasts') -%}
    {%- set statements = [] -%}
    {%- if earlier is not none and earlier.is_table -%}
        {%- set published = earlier -%}
        {%- do statements.append('alter table ' ~ earlier ~ ' rename to int_published_forecasts') -%}
    {%- endif -%}
    {%- if published is not none and 'is_chosen' not in run_query('describe ' ~ published).columns[0].values() -%}
        {%- set kept = api.Relation.create(target.database, target.schema, 'int_published_forecasts') -%}
        {%- do statements.append('alter table ' ~ kept ~ ' add column is_chosen boolean') -%}
        {%- do statements.append('update ' ~ kept ~ " set is_chosen = model_name = 'Ensemble'") -%}
    {%- endif -%}
    {{- return(statements | join('; ') or 'select 1') -}}
{% endmacro %}
