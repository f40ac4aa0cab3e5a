select
    detector as rule_id,
    detector_label as rule_label,
    method,  -- noqa: RF04
    episode_count,
    answered_count,
    expected_count,
    useful_count,
    useful_share,
    coalesce(store_location, 'N/A') as store_location,
    format('{:,} raised, {:,} answered, {:,} useful', episode_count, answered_count, useful_count) as usefulness
from {{ ref('fct_rule_usefulness') }}
