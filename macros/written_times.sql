{# A time in a file of the data folder, as timestamp with time zone; NULL where it is none, or may be two. #}
{% macro time_of(written) %}
    coalesce(try_cast({{ written }} as timestamptz), cast({{ local_time(written) }} as timestamptz))
{%- endmacro %}


{# A day in such a file. #}
{% macro date_of(written) %}
    coalesce(try_cast({{ written }} as date), cast({{ local_time(written) }} as date))
{%- endmacro %}


{# A time as people write it, 31.01.2026 or 1/31/2026 6:30 PM, read as the intake reads those of events (`ingest/times.py`):
   with points the day comes first. 01/02/2026 is the second of January or the first of February, and so none. #}
{% macro local_time(written) %}
    {%- set formats = {'day_first': [], 'month_first': []} -%}
    {%- for hours in ['', ' %H:%M', ' %H:%M:%S', ' %I:%M %p', ' %I:%M:%S %p'] -%}
        {%- do formats['day_first'].append('%d.%m.%Y' ~ hours) -%}
        {%- for mark in ['/', '-'] -%}
            {%- do formats['day_first'].append(['%d', '%m', '%Y'] | join(mark) ~ hours) -%}
            {%- do formats['month_first'].append(['%m', '%d', '%Y'] | join(mark) ~ hours) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set day_first = 'try_strptime(' ~ written ~ ', ' ~ formats['day_first'] ~ ')' -%}
    {%- set month_first = 'try_strptime(' ~ written ~ ', ' ~ formats['month_first'] ~ ')' -%}
    case when coalesce({{ day_first }} = {{ month_first }}, true) then coalesce({{ day_first }}, {{ month_first }}) end
{%- endmacro %}
