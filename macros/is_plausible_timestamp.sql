{# Whether a reading can have been taken when it says, by the time at which it was published. Raw may hold what the intake
   quarantines today: an unset clock says 1970 or the year 1, and a date ahead would move the clock of all tables. The
   five minutes are those of the event contract. #}
{% macro is_plausible_timestamp(event_timestamp, published_at) %}
    {{ event_timestamp }} between {{ published_at }} - to_days(1) * 365.25 * {{ max_age_years() }}
    and {{ published_at }} + interval '5 minutes'
{%- endmacro %}


{# How old a reading may be when it is published: the intake's own setting, so that the two never differ. #}
{% macro max_age_years() -%}
    {{- return(env_var('INVENTORY_MAX_AGE_YEARS', '15') | trim or '15') -}}
{%- endmacro %}
