-- Catches a rule's file without its line in the seed, whose anomalies would go unseen, and a line without its file,
-- which would never find one. A row is a rule with the one and not the other.
{% set files = [] %}
{% for name in context if name.startswith("rule__") %}
    {% do files.append(name.split("__")[1:3]) %}
{% endfor %}

with

rules as (

    select * from {{ ref('anomaly_rules') }}

),

files as (

    select
        rule_files.family,
        rule_files.rule_id
    from (
        values
        {% for family, rule_id in files | sort %}
            ('{{ family }}', '{{ rule_id }}'){{ "," if not loop.last }}
        {% endfor %}
    ) as rule_files (family, rule_id)

)

select
    rules.rule_id as rule_of_the_seed,
    files.rule_id as rule_of_a_file
from rules
full outer join files
    on
        rules.family = files.family
        and rules.rule_id = files.rule_id
where
    rules.rule_id is null
    or files.rule_id is null
