{# Stops a build whose stores.csv, promotions.csv or school_holidays.csv cannot be meant: who sees what, and what is
   expected, depend on them, so no part of them is guessed. A wrong row of products or orders costs no other: it is reported
   and left out. One message names all faults of a file. #}
{% macro check_masters(stores, promotions, school_holidays, products, orders_csv, orders_ndjson) %}
    {%- if execute and not var('masters_checked') -%}
        {%- set is_country_code = "regexp_full_match(country, '(?i)[a-z]{2}(-[a-z0-9]{1,3})?|')" -%}
        {%- do check_master('stores.csv', stores, ['store_location'], ['name', 'region', 'country', 'time_zone'], "
            select format('{} stands in it {} times', store_location, count(*)) from master
            where store_location != '' group by store_location having count(*) > 1
            union all
            select format('{} has the country ''{}'', not a code such as US or DE-BY', store_location, country)
            from master where not " ~ is_country_code ~ "
            union all
            select format('{} has the time zone ''{}'', not a name such as Europe/Berlin', store_location, time_zone)
            from master where time_zone != '' and time_zone not in (select name from pg_timezone_names())
        ") -%}
        {%- do check_master(
            'promotions.csv', promotions, ['start_date', 'end_date'], ['store_location', 'category', 'product_id'],
            faults_of_periods('start_date', 'end_date')
        ) -%}
        {%- do check_master(
            'school_holidays.csv', school_holidays, ['first_day', 'last_day'], ['store_location', 'region', 'country'],
            faults_of_periods('first_day', 'last_day') ~ "
            union all
            select format('row {} has the country ''{}'', not a code such as US or DE-BY', row_number, country)
            from master where country != '*' and not " ~ is_country_code
        ) -%}
        {%- do check_master(
            'products.csv', products, ['product_id'],
            ['name', 'unit', 'pack_size', 'minimum_order', 'supplier', 'unit_cost'],
            faults_of_rows(product_fault()), stops=false
        ) -%}
        {%- set required = ['order_id', 'product_id', 'store_location', 'quantity_ordered', 'ordered_at'] -%}
        {%- set optional = ['expected_at', 'received_at', 'cancelled_at'] -%}
        {%- for file, orders in [('orders.csv', orders_csv), ('orders.ndjson', orders_ndjson)] -%}
            {%- do check_master(file, orders, required, optional, faults_of_rows(order_fault()), stops=false) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return('select 1') -}}
{% endmacro %}


{# A query for the faults of periods of days, for check_master. #}
{% macro faults_of_periods(first_day, last_day) %}
    select format('row {} ends on ''{}'', before its start', row_number, {{ last_day }}) from master
    where {{ date_of(last_day) }} < {{ date_of(first_day) }}
    union all
    select format('row {} has the date ''{}'', not one such as 2026-01-31', row_number, written)
    from (unpivot master on {{ first_day }}, {{ last_day }} into name column_name value written) as dates
    where written != '' and not {{ is_time('written') }}
{% endmacro %}


{# A query for the rows at fault, for check_master. #}
{% macro faults_of_rows(fault) %}
    select format('row {} {}', row_number, fault) from (select row_number, {{ fault }} as fault from master)
    where fault is not null order by row_number
{% endmacro %}


{# Raises an error, or warns, naming all faults of a file; nothing where there is none. `faults` is a query on the CTE
   `master`, which holds the file's rows, trimmed and numbered. #}
{% macro check_master(file, master, required, optional, faults, stops=true) %}
    {%- if not data_files_exist(file) -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set master = master_rows(master, file) -%}
    {%- set may_lose_lines = file.endswith('.csv') and not stops -%}
    {%- if may_lose_lines -%}
        {%- set master = with_option(master, 'store_rejects = true') -%}
    {%- endif -%}
    {%- set path = data_dir() ~ '/' ~ file -%}
    {#- DuckDB reads no file whose rows end in both ways. Inside quotes, lines may end as they like. To remove what is quoted
        takes five times as long as to read the file, so it happens only where both ends occur -#}
    {%- set content = run_query("
        select text is not null, contains(unquoted, '\r\n') and regexp_matches(unquoted, '(^|[^\r])\n')
        from (
            select
                text,
                case
                    when contains(text, '\r\n') and regexp_matches(text, '(^|[^\r])\n')
                        then regexp_replace(text, '\"[^\"]*\"', '', 'g')
                end as unquoted
            from (select try(decode(content)) as text from read_blob('" ~ path | replace("'", "''") ~ "'))
        )
    ").rows[0] -%}
    {%- if content[1] and file.endswith('.csv') -%}
        {%- do exceptions.raise_compiler_error(
            path ~ ': some of its lines end in CR LF and some in LF alone. Save it again and build again.'
        ) -%}
    {%- endif -%}
    {%- if not content[0] -%}
        {%- set problem = path ~ ': it is not in UTF-8. Save it as CSV UTF-8 and build again.' -%}
        {%- if stops -%}
            {%- do exceptions.raise_compiler_error(problem) -%}
        {%- endif -%}
        {#- builds are quiet: they would keep a warning of dbt's own to themselves -#}
        {%- do print('warning: ' ~ problem ~ ' Until then, lines that cannot be read are left out.') -%}
    {%- endif -%}
    {%- set known = required + optional -%}
    {%- set columns = run_query('describe select * from ' ~ master).columns[0].values() | map('lower') | list -%}
    {%- set found = [] -%}
    {%- for column in columns if column not in known -%}
        {%- if column in nameless_columns(columns) -%}
            {%- do found.extend(run_query("
                select format('row {} has ''{}'' in a column without a name', row_number, value)
                from (select " ~ column ~ " as value, row_number() over () as row_number from " ~ master ~ ")
                where trim(value) != '' order by row_number
            ").columns[0].values()) -%}
        {%- else -%}
            {%- do found.append("its column '" ~ column ~ "' is none of " ~ known | join(', ')) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for column in required if column not in columns -%}
        {%- do found.append("it has no column '" ~ column ~ "'") -%}
    {%- endfor -%}
    {%- if not found or not stops -%}
        {%- set query -%}
            with
            master as (
                select
                    row_number,
                    {% for column in known %}{{ tidied(column) }} as {{ column }},{% endfor %}
                from (
                    select {% for column in known %}null::varchar as {{ column }},{% endfor %} null as row_number
                    where false
                    union all by name
                    select *, row_number() over () as row_number from {{ master }}
                ) as file_rows
            )
            {% if stops %}
                {% for column in required %}
                    select format('row {} has no {{ column }}', row_number) from master
                    where coalesce({{ column }}, '') = ''
                    union all
                {% endfor %}
                select format('row {} holds a control character', row_number) from master
                where regexp_matches(concat({{ known | join(', ') }}), '[[:cntrl:]]')
                union all
            {% endif %}
            {{ faults }}
        {%- endset -%}
        {%- do found.extend(run_query(query).columns[0].values()) -%}
    {%- endif -%}
    {%- if may_lose_lines -%}
        {#- DuckDB finds the columns from the first 20,480 rows, and passes over a later row that does not fit them -#}
        {%- do found.extend(run_query("
            select distinct on (line) format('line {} {}', line, case error_type
                when 'TOO MANY COLUMNS' then 'has more cells than the header' else 'cannot be read: ' || error_message
            end)
            from reject_errors where error_type != 'INVALID ENCODING' order by line
        ").columns[0].values()) -%}
        {%- do run_query('drop table reject_errors') -%}
        {%- do run_query('drop table reject_scans') -%}
    {%- endif -%}
    {%- if found -%}
        {%- set more = ' and ' ~ (found | length - 5) ~ ' more' if found | length > 5 -%}
        {%- set problem = path ~ ': ' ~ found[:5] | join('; ') ~ more ~ '. Correct it and build again.' -%}
        {%- if stops -%}
            {%- do exceptions.raise_compiler_error(problem) -%}
        {%- endif -%}
        {%- do print('warning: ' ~ problem ~ ' Until then, such rows are left out.') -%}
    {%- endif -%}
{% endmacro %}
