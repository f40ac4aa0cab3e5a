{# What a ratio to the usual is in words. Within a fifth of it, nobody calls it unusual. #}
{% macro against_usual(ratio) -%}
    case
        when {{ ratio }} between 0.8 and 1.25 then 'as usual'
        else format('{:.0f} % of the usual', 100 * {{ ratio }})
    end
{%- endmacro %}
