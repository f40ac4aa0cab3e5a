-- Catches a metrics_grain that does not divide turnover_window: the window would then start inside a bucket, whose
-- readings cannot be distinguished any more, and every turnover_rate would be wrong. No tolerance: a row is a failure.
select interval '{{ var("metrics_grain") }}' as grain
where
    epoch(interval '{{ var("turnover_window") }}') % epoch(interval '{{ var("metrics_grain") }}') <> 0
