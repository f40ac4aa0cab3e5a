-- Catches a flood: a store gets its most urgent notifications up to the number that one manager can work through in a
-- day, and one digest of the rest. Nobody would read more. A row is a store with too many. Notifications about all
-- stores have the store `N/A`, and a store may have that name as well.
select
    store_location,
    count(*) as notification_count
from {{ ref('dashboard_notifications') }}
group by store_location
having count(*) > ({{ var('notifications_per_store') }} + 1) * case when store_location = 'N/A' then 2 else 1 end
