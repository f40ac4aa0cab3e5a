{# A message with the names in its braces filled in: `{score:.1f}` becomes the score with one digit. One of a thing is
   named in the singular. #}
{% macro message_text(template, finding, current_stock) %}
    {%- set fields = {
        'observed': finding ~ '.observed_value',
        'expected': 'coalesce(greatest(' ~ finding ~ '.expected_value, 0), 0)',
        'score': finding ~ '.score',
        'percent': '100 * ' ~ finding ~ '.score',
        'kind': 'replace(' ~ finding ~ ".kind, '_', ' ')",
        'evidence': "coalesce(" ~ finding ~ ".evidence, '')",
        'daily_units_out': rate_text(current_stock ~ '.daily_units_out'),
        'lead_time_days': 'coalesce(' ~ current_stock ~ '.lead_time_days, 0)',
        'order_advice': order_advice(current_stock),
        'value_at_risk': money_text(current_stock ~ '.value_at_risk'),
        'latest_level': "coalesce(format('{:,} units', " ~ current_stock ~ ".quantity), 'unknown')",
        'latest_price':
            "coalesce(format('{:,.2f}', " ~ current_stock ~ ".price) || ' ' || " ~ currency() ~ ", 'unknown')",
        'stock_value': money_text(current_stock ~ '.stock_value'),
        'currency': currency(),
    } -%}
    {%- set numbered = namespace(template=template) -%}
    {%- for field in fields -%}
        {%- set numbered.template = "replace(" ~ numbered.template ~ ", '{" ~ field ~ "', '{" ~ loop.index0 ~ "')" -%}
    {%- endfor -%}
    regexp_replace(
        format({{ numbered.template }}, {{ fields.values() | join(', ') }}),
        '(^|[ (-])1 (unit|product|hour|day|message|reading)s\b',
        '\11 \2',
        'g'
    )
{%- endmacro %}


{# What to order beside what is on order. #}
{% macro order_advice(current_stock) %}
    case
        when coalesce({{ current_stock }}.on_order, 0) > 0
            then
                format(
                    '{:,} {} on order, {}. {}',
                    {{ current_stock }}.on_order,
                    case {{ current_stock }}.on_order when 1 then 'is' else 'are' end,
                    coalesce(
                        'the next due on ' || strftime({{ current_stock }}.next_delivery_at, '%-d %B'),
                        'overdue or without a date'
                    ),
                    case
                        when {{ current_stock }}.suggested_order > 0
                            then format('Order {:,} more now.', {{ current_stock }}.suggested_order)
                        when {{ current_stock }}.next_delivery_at is null
                            then 'Ask the supplier when it comes, and order no more.'
                        else 'That is enough: order no more.'
                    end
                )
        else format('Order {:,} now.', coalesce({{ current_stock }}.suggested_order, 0))
    end
{%- endmacro %}


{# Units a day: slow products in two digits, the others with one place. #}
{% macro rate_text(rate) %}
    case
        when coalesce({{ rate }}, 0) < 1 then format('{:.2g}', coalesce({{ rate }}, 0))
        else format('{:,.1f}', {{ rate }})
    end
{%- endmacro %}


{# The first sentence of a template says what was found, the others what to do. #}
{% macro finding_of(template) %}
    regexp_extract({{ template }}, '(?s)^(.*?)([.] |[.]?$)', 1)
{%- endmacro %}
