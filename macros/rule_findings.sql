{# The rules of a family, each as a common table expression, and the anomalies that they find together.

   A rule is a macro in a file of its own in macros/rules/<family>/, named rule__<family>__<rule_id>: a query over the
   model's import CTEs. It returns a score, which is compared with the seed's threshold. #}
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
    -- few rules expect a value
    select cast(null as double) as expected_value
    where false
    {% for rule_id in macros | sort | map('replace', prefix, '') %}
    union all by name
    select
        '{{ rule_id }}' as detector,
        * replace (
            cast(observed_value as double) as observed_value,
            cast(score as double) as score,
            cast(evidence as varchar) as evidence
        )
    from {{ rule_id }}
    {%- endfor %}
),

findings as (

    select
        measured.detector,
        '{{ family }}' as kind,
        measured.store_location,
        measured.category,
        measured.product_id,
        measured.event_timestamp,
        measured.observed_value,
        measured.expected_value,
        measured.score,
        measured.evidence,
        {{ row_digest([
            'measured.detector', 'measured.store_location', 'measured.category', 'measured.product_id',
            'measured.event_timestamp'
        ]) }} as anomaly_id
    from measured
    inner join rules
        on measured.detector = rules.rule_id
    where measured.score >= rules.threshold

)
{%- endmacro %}


{# A rule's threshold from the seed, for a rule that must compare with it itself. #}
{% macro rule_threshold(rule_id) -%}
    (select rules.threshold from rules where rules.rule_id = '{{ rule_id }}')
{%- endmacro %}
