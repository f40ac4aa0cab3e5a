-- Catches a rule's file without its line in the seed, which would find things and tell nobody, and a line of a family
-- of rules without its file, which would never fire. A row is a rule with the one and not the other.
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

),

-- the models' lines have no file
lines as (

    select rules.*
    from rules
    where rules.family in (select files.family from files)

)

select
    lines.rule_id as rule_of_the_seed,
    files.rule_id as rule_of_a_file
from lines
full outer join files
    on
        lines.family = files.family
        and lines.rule_id = files.rule_id
where
    lines.rule_id is null
    or files.rule_id is null
