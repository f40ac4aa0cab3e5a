{# Until when the flows of a product are known. While units are on hand, a silence no longer than the interval before the
   last reading proves nothing: what goes out meanwhile is unknown, not 0. Nothing goes out from an empty shelf. #}
{% macro flows_known_until(as_of, last_reading_at, last_interval_us, quantity) %}
    {{ as_of }} - to_microseconds(
        case
            when {{ quantity }} > 0
                then least(epoch_us({{ as_of }}) - epoch_us({{ last_reading_at }}), coalesce({{ last_interval_us }}, 0))
            else 0
        end
    )
{%- endmacro %}
