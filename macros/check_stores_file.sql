{# Stops a build whose stores.csv cannot be meant: who sees what depends on it, so no part of it is guessed. One message
   names all faults. #}
{% macro check_stores_file(stores) %}
    {%- if not execute or not data_files_exist('stores.csv') -%}
        {{- return('select 1') -}}
    {%- endif -%}
    {%- set known = ['store_location', 'name', 'region', 'country', 'time_zone'] -%}
    {%- set faults = [] -%}
    {%- set path = env_var('INVENTORY_DATA_DIR', 'data') ~ '/stores.csv' -%}
    {%- set is_text = "select try(decode(content)) is not null from read_blob('" ~ path | replace("'", "''") ~ "')" -%}
    {%- if not run_query(is_text).rows[0][0] -%}
        {%- do exceptions.raise_compiler_error(path ~ ': it is not in UTF-8. Save it as CSV UTF-8 and build again.') -%}
    {%- endif -%}
    {%- set columns = run_query('describe select * from ' ~ stores).columns[0].values() | map('lower') | list -%}
    {%- for column in columns if column not in known -%}
        {%- do faults.append("its column '" ~ column ~ "' is none of " ~ known | join(', ')) -%}
    {%- endfor -%}
    {%- if 'store_location' not in columns -%}
        {%- do faults.append("it has no column 'store_location'") -%}
    {%- else -%}
        {%- set query -%}
            with
            stores as (
                select * from (
                    select {% for column in known %}null::varchar as {{ column }}{{ ', ' if not loop.last }}{% endfor %}
                    where false
                ) as no_store
                union all by name
                select
                    row_number() over () as row_number,
                    trim(store_location) as store_location,
                    * exclude (store_location)
                from {{ stores }}
            )
            select format('row {} names no store', row_number) from stores
            where coalesce(store_location, '') = ''
            union all
            select format('{} stands in it {} times', store_location, count(*)) from stores
            where store_location != '' group by store_location having count(*) > 1
            union all
            select format('row {} holds a control character', row_number) from stores
            where regexp_matches(concat(store_location, name, region, country, time_zone), '[[:cntrl:]]')
            union all
            select format('{} has the country ''{}'', not a code such as US or DE-BY', store_location, country)
            from stores where not regexp_full_match(trim(country), '(?i)[a-z]{2}(-[a-z0-9]{1,3})?|')
            union all
            select format('{} has the time zone ''{}'', not a name such as Europe/Berlin', store_location, time_zone)
            from stores
            where trim(time_zone) != '' and trim(time_zone) not in (select name from pg_timezone_names())
        {%- endset -%}
        {%- do faults.extend(run_query(query).columns[0].values()) -%}
    {%- endif -%}
    {%- if faults -%}
        {%- do exceptions.raise_compiler_error(
            path ~ ': ' ~ faults | join('; ') ~ '. Correct it and build again.'
        ) -%}
    {%- endif -%}
    {{- return('select 1') -}}
{% endmacro %}
