{# What is wrong with a row of products.csv, in the words that follow its number; NULL for a row that counts. `check_masters`
   reports these rows and staging leaves them out, so both ask here. Both give tidied columns and `row_number`. #}
{% macro product_fault() %}
    case
        when coalesce(product_id, '') = '' then 'has no product_id'
        when regexp_matches(concat(product_id, name, unit, supplier), '[[:cntrl:]]') then 'holds a control character'
        {%- for column in ['pack_size', 'minimum_order'] %}
        when {{ column }} != '' and not {{ is_count(column) }}
            then format('has the {{ column }} ''{}'', not a whole number from 1 on', {{ column }})
        {%- endfor %}
        when unit_cost != ''
            and not coalesce({{ amount('unit_cost') }} between 0 and {{ var('accepted_price') }}, false)
            then format('has the unit_cost ''{}'', not an amount such as 4.50', unit_cost)
        when row_number() over (partition by product_id order by row_number) > 1
            then format('names {} again', product_id)
    end
{% endmacro %}


{# What is wrong with an event of an order, likewise. #}
{% macro order_fault() %}
    case
        {%- for column in ['order_id', 'product_id', 'store_location'] %}
        when coalesce({{ column }}, '') = '' then 'has no {{ column }}'
        {%- endfor %}
        when regexp_matches(concat(order_id, product_id, store_location), '[[:cntrl:]]')
            then 'holds a control character'
        when not {{ is_count('coalesce(quantity_ordered, \'\')') }}
            then format('has the quantity_ordered ''{}'', not a whole number from 1 on', coalesce(quantity_ordered, ''))
        when not {{ is_time('ordered_at') }}
            then format('has the ordered_at ''{}'', not a time such as 2026-01-31T08:00:00Z', coalesce(ordered_at, ''))
        {%- for column in ['expected_at', 'received_at', 'cancelled_at'] %}
        when {{ column }} != '' and not {{ is_time(column) }}
            then format('has the {{ column }} ''{}'', not a time such as 2026-01-31T08:00:00Z', {{ column }})
        {%- endfor %}
    end
{% endmacro %}


{# Whether a text is a number of units: whole, from 1 on, and no more than a reading may have. DuckDB would round others. 1.000
   is one or a thousand, so it is none. #}
{% macro is_count(written) %}
    (
        regexp_full_match({{ written }}, '[0-9]{1,9}(\.(0{0,2}|0{4,}))?|[0-9]{4,9}\.000')
        and try_cast({{ written }} as double) between 1 and {{ var('accepted_quantity') }}
    )
{%- endmacro %}


{# The amount of money in a column of text, with a point or a comma before the decimals; NULL where it is none. Where any row
   of the file has a decimal comma, 1.250 may be a thousand and more, and is none. #}
{% macro amount(column) %}
    {%- set has_comma -%}
        coalesce(regexp_full_match({{ column }}, '-?([0-9]+|[1-9][0-9]{0,2}(\.[0-9]{3})+),[0-9]{1,2}'), false)
    {%- endset -%}
    case
        when {{ has_comma }} then try_cast(replace(replace({{ column }}, '.', ''), ',', '.') as decimal(18, 4))
        when not (
            bool_or({{ has_comma }}) over ()
            and regexp_full_match({{ column }}, '-?[1-9][0-9]{0,2}(\.[0-9]{3})+')
        )
            then try_cast({{ column }} as decimal(18, 4))
    end
{%- endmacro %}


{# Whether a text is a time that somebody may have meant. DuckDB reads 'infinity' and years before Christ as well, from which
   no days can be counted. #}
{% macro is_time(written) %}
    coalesce(
        {{ time_of(written) }} between timestamptz '1970-01-01' and timestamptz '2200-01-01', false
    )
{%- endmacro %}
