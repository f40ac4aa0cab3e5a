-- Catches a country of `stores.csv` without a public holiday in the days that models see, such as a mistyped code: its
-- stores are forecast as if they had no country. A warning, for the library need not know every country.
{{ config(severity='warn') }}

select
    stores.store_location,
    stores.country
from {{ ref('int_stores') }} as stores
anti join {{ ref('int_public_holidays') }} as public_holidays
    on stores.country = public_holidays.country
where stores.country is not null
