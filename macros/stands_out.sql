{# Which readings int_reading_history keeps: those that a rule could name, for they break a record of the last twenty or
   are odd by themselves. What falls into the usual is most of all readings, and costs nothing further. #}
{% macro stands_out() %}
    (
        quantity < 0
        or reported_price <= 0
        or is_suspect
        or times_highest_before > 1
        or units_fallen > greatest(largest_fall_before, 4)
        or units_risen > greatest(largest_rise_before, 4)
        or reported_price > highest_price_before
        or reported_price < lowest_price_before
    )
{%- endmacro %}


{# Which days int_day_history keeps: those on which stock has stood still for five days, and those that end ten days of
   trickling away, with nothing in and more out than in the weeks before. #}
{% macro day_stands_out() %}
    (
        still_days >= 5
        or (
            ten_days_in = 0
            and days_with_units_out >= 9
            and ten_days_out * days_before > 10 * units_out_before
        )
    )
{%- endmacro %}
