{# The rows of a CSV file of the data folder, from its source. Above the header may stand a title, or the `sep=;` that Excel
   looks for; the header is the first line with a cell that names a required column. Where none of the first 20 is, it is the
   first line, and `check_masters` says what is missing. #}
{% macro master_rows(source, file) %}
    {%- if not execute or not file.endswith('.csv') -%}
        {{- return(source) -}}
    {%- endif -%}
    {%- set names = 'store_location|product_id|order_id|start_date|end_date|first_day|last_day' -%}
    {#- line by line, whatever they hold; a line that is not in UTF-8 is left out, and `check_masters` reports the file -#}
    {%- set above_header = run_query("
        select coalesce(min(line_number) - 1, 0)
        from (
            select line, row_number() over () as line_number
            from read_csv(
                '" ~ (data_dir() ~ '/' ~ file) | replace("'", "''") ~ "', columns = {'line': 'VARCHAR'}, header = false,
                delim = '\x01', quote = '', escape = '', strict_mode = false,
                null_padding = true, ignore_errors = true, auto_detect = false, parallel = false
            )
            limit 20
        )
        where regexp_matches(line, '(?i)(^|[,;|\t])[ \"]*(" ~ names ~ ")[ \"]*($|[,;|\t])')
    ").rows[0][0] -%}
    {{- return(with_option(source, 'skip = ' ~ above_header) if above_header else source) -}}
{% endmacro %}


{# A call of read_csv with one option more. #}
{% macro with_option(read_csv, option) %}
    {{- return((read_csv | string)[:-1] ~ ', ' ~ option ~ ')') -}}
{% endmacro %}


{# Likewise, without the rows that have something in a column without a name: in P1,4,50 the cost is not 4. #}
{% macro complete_master_rows(source, file) %}
    {%- set master = master_rows(source, file) -%}
    {%- set columns = run_query('describe select * from ' ~ master).columns[0].values() if execute else [] -%}
    {%- set nameless = nameless_columns(columns) -%}
    {%- if not nameless -%}
        {{- return(master) -}}
    {%- endif -%}
    {{- return('(select * from ' ~ master ~ " where trim(concat(" ~ nameless | join(', ') ~ ")) = '') as complete_rows") -}}
{% endmacro %}


{# Those of the columns whose header is empty or missing. Spreadsheets save empty columns beside the table, and a row may have
   more cells than the header; DuckDB calls both by their places. #}
{% macro nameless_columns(columns) %}
    {%- set nameless = [] -%}
    {%- for column in columns if modules.re.fullmatch('column[0-9]+', column) -%}
        {%- do nameless.append(column) -%}
    {%- endfor -%}
    {{- return(nameless) -}}
{% endmacro %}
