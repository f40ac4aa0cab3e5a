with

detections as (

    select * from {{ ref('int_text_detections') }}

),

notes as (

    select * from {{ ref('int_notes') }}

),

final as (

    select
        'text' as detector,
        'text' as kind,
        notes.store_location,
        notes.category,
        notes.product_id,
        notes.event_timestamp,
        -- two notes on a product may have one timestamp
        cast(max(detections.score) as double) as observed_value,
        cast(null as double) as expected_value,
        cast(max(detections.score) as double) as score,
        cast(arg_max(detections.reason, (detections.score, notes.note_id)) as varchar) as evidence,
        {{ row_digest([
            "'text'", 'notes.store_location', 'notes.category', 'notes.product_id', 'notes.event_timestamp'
        ]) }} as anomaly_id
    from detections
    inner join notes
        on detections.note_id = notes.note_id
    where detections.alert
    group by notes.store_location, notes.category, notes.product_id, notes.event_timestamp

)

select * from final
