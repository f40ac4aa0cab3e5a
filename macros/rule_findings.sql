{# The rules of a family, each as a common table expression, and what they find together.

   A rule is a macro in a file of its own in macros/rules/<family>/, named rule__<family>__<rule_id>: a query over the
   model's import CTEs. It measures; the seed's threshold judges. #}
{% macro rule_findings(family) %}
    {%- set prefix = 'rule__' ~ family ~ '__' -%}
    {%- set macros = [] -%}
    {%- for name in context if name.startswith(prefix) -%}
        {%- do macros.append(name) -%}
    {%- endfor -%}
    {%- for name in macros | sort %}
{{ name | replace(prefix, '') }} as (
    {{ context[name]() }}
),
{% endfor %}
measured as (
    {% for rule_id in macros | sort | map('replace', prefix, '') %}
    select
        '{{ rule_id }}' as rule_id,
        store_location,
        category,
        product_id,
        event_timestamp,
        cast(reading_value as double) as reading_value,
        cast(observed_value as double) as observed_value,
        cast(evidence as varchar) as evidence
    from {{ rule_id }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

findings as (

    select measured.*
    from measured
    inner join rules
        on measured.rule_id = rules.rule_id
    where measured.observed_value >= rules.threshold

)
{%- endmacro %}


{# The threshold that the seed gives a rule, for a rule that cannot leave the comparison to its family. #}
{% macro rule_threshold(rule_id) -%}
    (select rules.threshold from rules where rules.rule_id = '{{ rule_id }}')
{%- endmacro %}
