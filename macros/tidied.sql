{# A name in a file of the data folder, tidied as the intake tidies the names of readings (`ingest/names.py`): otherwise two
   spaces, or an accent of its own, would make another store of it. Line breaks stay, to be named as a fault. #}
{% macro tidied(column) -%}
    {#- most names are tidy already: to see that takes half as long as to tidy them -#}
    case when regexp_full_match({{ column }}, '([!-~]+( [!-~]+)*)?') then {{ column }} else trim(regexp_replace(
        nfc_normalize(regexp_replace(
            {{ column }},
            '[\x{AD}\x{61C}\x{180E}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{2066}-\x{2069}\x{FEFF}]', '', 'g'
        )),
        '[\t\p{Zs}]+', ' ', 'g'
    )) end
{%- endmacro %}
