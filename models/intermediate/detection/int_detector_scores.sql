with

labels as (

    select * from {{ ref('stg_simulation__labels') }}

),

labelled_anomalies as (

    select * from {{ ref('int_labelled_anomalies') }}

),

anomalies as (

    select * from {{ ref('int_anomalies') }}

),

detectors as (

    select * from {{ ref('int_detectors') }}

),

daily_stock as (

    select * from {{ ref('int_daily_stock') }}

),

observed as (

    select
        count(distinct store_location)
        * (date_diff('day', min(event_date), max(event_date)) + 1) / 7.0 as store_weeks
    from daily_stock

),

-- Only detectors that some label expects can be scored: an empty shelf is true, and has no label.
scored as (

    select
        detector,
        label,
        method,  -- noqa: RF04
        case when method in ('rule-based', 'text') then detector else 'isolation_forest' end as expected_detector
    from detectors
    where
        detector in (select labels.expected_detector from labels)
        or (
            method in ('statistical', 'machine learning')
            and (published or detector in (select anomalies.detector from anomalies))
        )

),

-- all anomalies that a detector found, including those that are published as another detector's
found_by as (

    select
        scored.detector,
        anomalies.anomaly_id
    from scored
    inner join anomalies
        on
            scored.detector = anomalies.detector
            or list_contains(anomalies.also_found_by, scored.detector)
    union all
    select distinct
        'all models' as detector,
        anomalies.anomaly_id
    from anomalies
    where anomalies.method in ('statistical', 'machine learning') or anomalies.also_found_by is not null

),

judged as (

    select
        detector,
        label,
        method,  -- noqa: RF04
        expected_detector
    from scored
    union all
    select
        'all models' as detector,
        'All models' as label,  -- noqa: RF04
        'machine learning' as method,  -- noqa: RF04
        'isolation_forest' as expected_detector

),

finds as (

    select
        found_by.detector,
        labelled_anomalies.label_id,
        labelled_anomalies.store_location,
        min(labelled_anomalies.delay_days) as delay_days
    from found_by
    inner join labelled_anomalies
        on found_by.anomaly_id = labelled_anomalies.anomaly_id
    group by found_by.detector, labelled_anomalies.label_id, labelled_anomalies.store_location

),

-- each label once under its kind, and once under all
expected_finds as (

    select
        judged.detector,
        labels.label_id,
        labels.store_location,
        unnest([labels.kind, 'all kinds']) as kind
    from judged
    inner join labels
        on judged.expected_detector = labels.expected_detector

),

by_kind as (

    select
        expected_finds.detector,
        expected_finds.kind,
        cast(median(finds.delay_days) as double) as median_delay_days,
        count(*) as label_count,
        count(finds.label_id) as found_count
    from expected_finds
    left join finds
        on
            expected_finds.detector = finds.detector
            and expected_finds.label_id = finds.label_id
            and expected_finds.store_location = finds.store_location
    group by expected_finds.detector, expected_finds.kind

),

true_anomalies as (

    select distinct anomaly_id
    from labelled_anomalies
    where expected_detector <> 'none'

),

precisions as (

    select
        found_by.detector,
        count(*) as anomaly_count,
        count(true_anomalies.anomaly_id) as true_anomaly_count
    from found_by
    left join true_anomalies
        on found_by.anomaly_id = true_anomalies.anomaly_id
    group by found_by.detector

),

-- Precision is known for all anomalies of a detector, not by kind: a false alert has no kind of label.
final as (

    select
        by_kind.detector,
        judged.label as detector_label,
        judged.method,  -- noqa: RF04
        by_kind.kind,
        by_kind.label_count,
        by_kind.found_count,
        by_kind.median_delay_days,
        by_kind.found_count / by_kind.label_count as recall,
        case when by_kind.kind = 'all kinds' then coalesce(precisions.anomaly_count, 0) end as anomaly_count,
        case when by_kind.kind = 'all kinds' then precisions.true_anomaly_count / precisions.anomaly_count end
            as alert_precision,
        2 * alert_precision * recall / nullif(alert_precision + recall, 0) as f1_score,
        case
            when by_kind.kind = 'all kinds'
                then cast(
                    coalesce(precisions.anomaly_count - precisions.true_anomaly_count, 0) / observed.store_weeks
                    as double
                )
        end as false_alerts_per_store_week
    from by_kind
    inner join judged
        on by_kind.detector = judged.detector
    left join precisions
        on by_kind.detector = precisions.detector
    cross join observed

)

select * from final
