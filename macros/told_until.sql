{# Until when the readings of a product tell what went out. A silence no longer than the one before its last reading says
   nothing yet while units are on hand: what goes out meanwhile is unknown, not 0. From an empty shelf nothing goes. #}
{% macro told_until(as_of, last_reading_at, last_interval_us, quantity) %}
    {{ as_of }} - to_microseconds(
        case
            when {{ quantity }} > 0
                then least(epoch_us({{ as_of }}) - epoch_us({{ last_reading_at }}), coalesce({{ last_interval_us }}, 0))
            else 0
        end
    )
{%- endmacro %}
