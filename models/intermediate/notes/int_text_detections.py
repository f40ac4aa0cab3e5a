from pathlib import Path

from ml.text import detect_text


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.get("meta")
    notes = dbt.ref("int_notes").df().sort_values(["event_timestamp", "note_id"])
    found = detect_text(notes, seed=settings["seed"], cache_dir=Path(settings["cache_dir"]))
    # text without rows, as object, would have no type in DuckDB
    return found.astype(dict.fromkeys(("note_id", "method", "reason"), "string"))
