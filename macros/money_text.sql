{# An amount with its currency. #}
{% macro money_text(amount) %}
    coalesce(format('{:,.0f}', {{ amount }}) || ' ' || {{ currency() }}, 'unknown')
{%- endmacro %}


{% macro currency() -%}
    '{{ (env_var("INVENTORY_CURRENCY", "EUR") | trim or "EUR") | replace("'", "''") }}'
{%- endmacro %}
