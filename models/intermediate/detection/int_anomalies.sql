with

stock_anomalies as (

    select * from {{ ref('int_stock_anomalies') }}

),

quantity_anomalies as (

    select * from {{ ref('int_quantity_anomalies') }}

),

price_anomalies as (

    select * from {{ ref('int_price_anomalies') }}

),

feed_anomalies as (

    select * from {{ ref('int_feed_anomalies') }}

),

forecast_anomalies as (

    select * from {{ ref('int_forecast_anomalies') }}

),

panel_anomalies as (

    select * from {{ ref('int_panel_anomalies') }}

),

flow_anomalies as (

    select * from {{ ref('int_flow_anomalies') }}

),

text_anomalies as (

    select * from {{ ref('int_text_anomalies') }}

),

detectors as (

    select * from {{ ref('int_detectors') }}

),

current_stock as (

    select * from {{ ref('int_current_stock') }}

),

findings as (

    select * from stock_anomalies
    union all by name
    select * from quantity_anomalies
    union all by name
    select * from price_anomalies
    union all by name
    select * from feed_anomalies
    union all by name
    select * from forecast_anomalies
    union all by name
    select * from panel_anomalies
    union all by name
    select * from flow_anomalies
    union all by name
    select * from text_anomalies

),

-- of what several find, the highest precedence is kept; states are other facts, and so is what a text says
ranked as (

    select
        findings.anomaly_id,
        findings.detector,
        findings.store_location,
        findings.category,
        findings.product_id,
        findings.event_timestamp,
        findings.tail_probability,
        findings.observed_value - findings.expected_value as units_off,
        detectors.method in ('statistical', 'machine learning') as is_of_model,
        case
            -- a rule says what to do
            when findings.kind in ('quantity', 'stock') and detectors.cooldown_days is not null then 3
            when detectors.method = 'machine learning' then 2
            when detectors.method = 'statistical' then 1
        end as precedence
    from findings
    inner join detectors
        on findings.detector = detectors.detector

),

-- a store is off by what its categories are off by: where one makes up half of that, it is the category's anomaly
of_one_category as (

    select
        store.anomaly_id,
        panel.anomaly_id as kept_anomaly_id,
        panel.precedence,
        abs(epoch_us(panel.event_timestamp) - epoch_us(store.event_timestamp)) as time_apart
    from ranked as store
    inner join ranked as panel
        on
            store.store_location = panel.store_location
            and panel.event_timestamp between store.event_timestamp - interval '3 days'
            and store.event_timestamp + interval '3 days'
            and abs(panel.units_off) >= abs(store.units_off) / 2
            and sign(panel.units_off) = sign(store.units_off)
    where
        store.is_of_model
        and store.category is null
        and panel.is_of_model
        and panel.category is not null
        and panel.product_id is null

),

candidates as (

    select
        found.anomaly_id,
        kept.anomaly_id as kept_anomaly_id,
        kept.precedence,
        abs(epoch_us(kept.event_timestamp) - epoch_us(found.event_timestamp)) as time_apart
    from ranked as found
    inner join ranked as kept
        on
            found.store_location = kept.store_location
            and kept.event_timestamp between found.event_timestamp - interval '3 days'
            and found.event_timestamp + interval '3 days'
            and (
                (
                    found.category is not distinct from kept.category
                    and found.product_id is not distinct from kept.product_id
                    and found.precedence < kept.precedence
                )
                -- a fault of a whole store shows in its categories
                or (
                    found.category is not null
                    and found.product_id is null
                    and kept.category is null
                    and kept.precedence is not null
                    -- a rule expects no number of units
                    and coalesce(sign(found.units_off) = sign(kept.units_off), true)
                )
            )
    anti join of_one_category
        on kept.anomaly_id = of_one_category.anomaly_id
    where found.is_of_model
    union all by name
    select * from of_one_category

),

same_facts as (

    select
        candidates.anomaly_id,
        candidates.kept_anomaly_id
    from candidates
    -- what is not kept itself keeps nothing
    anti join candidates as given_up
        on candidates.kept_anomaly_id = given_up.anomaly_id
    qualify
        row_number() over (
            partition by candidates.anomaly_id
            order by candidates.precedence desc, candidates.time_apart asc, candidates.kept_anomaly_id asc
        ) = 1

),

also_found as (

    select
        same_facts.kept_anomaly_id as anomaly_id,
        list(distinct found.detector order by found.detector) as also_found_by,
        min(found.tail_probability) as tail_probability
    from same_facts
    inner join ranked as found
        on same_facts.anomaly_id = found.anomaly_id
    inner join ranked as kept
        on same_facts.kept_anomaly_id = kept.anomaly_id
    where found.detector <> kept.detector
    group by same_facts.kept_anomaly_id

),

-- the rarer by chance, the surer that something is wrong; the surest of its detectors counts
valued as (

    select
        findings.anomaly_id,
        findings.value_off
        * log10(greatest(least(findings.tail_probability, also_found.tail_probability), {{ var('sure_probability') }}))
        / log10({{ var('sure_probability') }}) as value_at_risk
    from findings
    left join also_found
        on findings.anomaly_id = also_found.anomaly_id

),

-- A name may be any text. In a message it is short, in one line, and without stops that would end the sentence.
product_labels as (

    select
        store_location,
        product_id,
        regexp_replace(product_name, '\p{Cf}', '', 'g') as visible_name,
        regexp_replace(visible_name, '[\s\p{Cc}\p{Z}]+', ' ', 'g') as one_line,
        trim(regexp_replace(one_line, '[.;]+( |$)', '\1', 'g')) as without_stops,
        case when length(without_stops) > 40 then rtrim(without_stops[:39]) || '…' else without_stops end as short_name,
        concat_ws(' ', product_id, nullif(nullif(short_name, ''), product_id)) as product_label
    from current_stock

),

store_values as (

    select
        store_location,
        {{ exact_sum('stock_value') }} as stock_value
    from current_stock
    group by store_location

),

final as (

    select
        findings.anomaly_id,
        findings.detector,
        detectors.label as detector_label,
        -- the documented name of the column is a keyword
        detectors.method,  -- noqa: RF04
        findings.kind,
        -- a rule knows what its kind is worth
        case
            when valued.value_at_risk is null then detectors.severity
            when valued.value_at_risk >= {{ severe_value('store_values.stock_value') }} then 'high'
            when valued.value_at_risk >= {{ severe_value('store_values.stock_value') }} / 10 then 'medium'
            else 'info'
        end as severity,
        findings.store_location,
        findings.category,
        findings.product_id,
        coalesce(product_labels.product_label, findings.product_id) as product_label,
        findings.event_timestamp,
        findings.observed_value,
        findings.expected_value,
        detectors.threshold,
        findings.score,
        findings.evidence,
        {{ message_text(finding_of('detectors.message'), 'findings', 'current_stock') }} as finding,
        also_found.also_found_by,
        -- a state has no cooldown: it holds until it clears
        detectors.cooldown_days is null as is_state
    from findings
    inner join detectors
        on findings.detector = detectors.detector
    left join current_stock
        on
            findings.store_location = current_stock.store_location
            and findings.product_id = current_stock.product_id
    left join product_labels
        on
            findings.store_location = product_labels.store_location
            and findings.product_id = product_labels.product_id
    left join store_values
        on findings.store_location = store_values.store_location
    left join also_found
        on findings.anomaly_id = also_found.anomaly_id
    left join valued
        on findings.anomaly_id = valued.anomaly_id
    anti join same_facts
        on findings.anomaly_id = same_facts.anomaly_id

)

select * from final
