"""What is introduced is in the truth, all else stays, and undoing restores the bytes."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.events import Reading, Rejection, decode
from ingest.landing.files.messages import read_file
from ingest.simulation import introduce_anomalies, introduce_anomaly
from ingest.simulation.anomalies import HARD_NEGATIVES, KINDS, TRUTH_COLUMNS
from ingest.simulation.catalogue import Profile
from ingest.simulation.generate_data import generate

Content = tuple[str, str, str, int, float | None, datetime]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clean") / "events.ndjson"
    generate(Profile(stores=3, categories=3, products=8, days=200), seed=3, end=date(2026, 6, 30), out=out)
    return out


@pytest.fixture
def events(clean: Path, tmp_path: Path) -> Path:
    (tmp_path / "events.ndjson").write_bytes(clean.read_bytes())
    return tmp_path / "events.ndjson"


def many(events: Path, *options: str) -> Result:
    return CliRunner().invoke(introduce_anomalies.command, ["--events", str(events), *options])


def one(events: Path, *options: str) -> Result:
    return CliRunner().invoke(introduce_anomaly.command, ["--events", str(events), *options])


def truth(events: Path) -> pd.DataFrame:
    table = pd.read_csv(events.with_suffix(".truth") / "anomalies.csv", dtype=str, keep_default_na=False)
    assert tuple(table.columns) == TRUTH_COLUMNS
    return table


def contents(events: Path) -> Counter[Content]:
    """How often each reading is in a file."""
    found: Counter[Content] = Counter()
    for line in read_file(events):
        reading = decode(line.message, None)
        assert isinstance(reading, Reading)
        place = reading.store_location, reading.product_id, reading.category
        found[(*place, reading.quantity, reading.price, reading.event_timestamp)] += 1
    return found


def accounts_for(row: dict[str, str], content: Content, new: bool) -> bool:
    """Whether a row of the truth accounts for a reading that is gone, or that is new."""
    store, product, category, _, _, timestamp = content
    start, end = datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"])
    if row["kind"] == "future_clock" and new:
        start = end = datetime.fromisoformat(row["injected"])
    if row["kind"] == "swapped_store":
        end = start + timedelta(days=float(row["magnitude"]))
    stores = {row["store"], row["injected"]} if row["kind"] == "swapped_store" else {row["store"]}
    of_product = category == row["category"] if row["product"] == "N/A" else product == row["product"]
    return store in stores and of_product and start <= timestamp <= end


@settings(max_examples=8)
@given(seed=st.integers(0, 2**63 - 1), count=st.integers(1, 30), kinds=st.sets(st.sampled_from(list(KINDS))))
def test_all_that_changed_is_in_the_truth_and_all_of_the_truth_is_there(clean, tmp_path_factory, seed, count, kinds):
    out = tmp_path_factory.mktemp("spoiled") / "events.ndjson"
    chosen = ["--kinds", ",".join(sorted(kinds))] if kinds else []
    result = many(clean, "--out", str(out), "--seed", str(seed), "--count", str(count), *chosen)
    if result.exit_code:  # kinds that were asked for by name and found no place
        assert "no place for" in result.output
        assert not out.exists()
        return
    before, after, rows = contents(clean), contents(out), truth(out).to_dict("records")
    gone, new = before - after, after - before
    for content in gone:
        assert any(accounts_for(row, content, new=False) for row in rows), content
    for content in new:
        assert any(accounts_for(row, content, new=True) for row in rows), content
    for row in rows:
        assert any(accounts_for(row, content, new=False) for content in gone) or any(
            accounts_for(row, content, new=True) for content in new
        ), row
    assert len({row["anomaly_id"] for row in rows}) == len(rows)


@settings(max_examples=10)
@given(data=st.data())
def test_undo_restores_the_bytes_after_any_introductions(clean, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("undo")
    events = folder / "events.ndjson"
    lines = clean.read_bytes().splitlines(keepends=True)
    # files as they come: another line ending, blank lines, a message that is none, no newline at the end
    lines.insert(data.draw(st.integers(0, 50)), data.draw(st.sampled_from([b"\n", b"not json\n", b"\xff\r\n"])))
    original = b"".join(lines[: data.draw(st.integers(4000, len(lines)))]).removesuffix(b"\n")
    events.write_bytes(original)
    labelled = data.draw(st.booleans())
    if labelled:
        assert one(events, "--kind", "negative").exit_code == 0
        (folder / "events.truth" / "undo").rename(folder / "kept")
        original = events.read_bytes()
    before = (folder / "events.truth" / "anomalies.csv").read_bytes() if labelled else None
    for seed in data.draw(st.lists(st.integers(0, 1000), min_size=1, max_size=3)):
        by_hand = data.draw(st.booleans())
        result = one(events, "--kind", "spike", "--seed", str(seed)) if by_hand else many(events, "--seed", str(seed))
        assert result.exit_code == 0, result.output
        assert events.read_bytes() != original
    assert many(events, "--undo").exit_code == 0
    assert events.read_bytes() == original
    table = folder / "events.truth" / "anomalies.csv"
    assert (table.read_bytes() if table.exists() else None) == before
    assert "nothing was introduced" in many(events, "--undo").output


@pytest.mark.parametrize("renames", [0, 1, 2, 3])
def test_killed_while_introducing_it_can_be_undone(events, renames):
    """Killed before the events were kept, before and after they changed, and when all was done but the last word."""
    original = events.read_bytes()
    killer = textwrap.dedent(f"""
        import os, signal, sys
        from pathlib import Path
        from ingest.simulation import introduce_anomalies

        rename, done = Path.rename, 0

        def counted(self, target):
            global done
            if done == {renames}:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1
            return rename(self, target)

        Path.rename = counted
        introduce_anomalies.publish_file = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        introduce_anomalies.command(["--events", sys.argv[1], "--count", "5"])
    """)
    killed = subprocess.run([sys.executable, "-c", killer, events], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (events.read_bytes() == original) == (renames < 2)
    undone = many(events, "--undo")
    assert (undone.exit_code == 0) == (renames > 0), undone.output
    assert events.read_bytes() == original
    assert many(events, "--count", "5").exit_code == 0
    assert many(events, "--undo").exit_code == 0
    assert events.read_bytes() == original


def test_undo_of_another_output_gives_the_bytes_of_its_source(events, tmp_path):
    out = tmp_path / "spoiled.ndjson"
    assert many(events, "--out", str(out)).exit_code == 0
    assert many(out, "--count", "3").exit_code == 0
    assert many(out, "--undo").exit_code == 0
    assert out.read_bytes() == events.read_bytes()


def test_undo_refuses_to_lose_what_came_later(events):
    assert many(events, "--count", "2").exit_code == 0
    with events.open("ab") as file:
        file.write(b"{}\n")
    spoiled = events.read_bytes()
    result = many(events, "--undo")
    assert result.exit_code == 1
    assert "has changed since" in result.output
    assert events.read_bytes() == spoiled


def test_the_same_seed_introduces_the_same_and_another_one_something_else(events, tmp_path):
    found = []
    for index, seed in enumerate((5, 5, 6)):
        out = tmp_path / f"{index}.ndjson"
        assert many(events, "--out", str(out), "--seed", str(seed)).exit_code == 0
        found.append((out.read_bytes(), truth(out).to_csv()))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_by_default_every_kind_is_introduced_and_hard_negatives_expect_no_detector(events):
    result = many(events)
    assert result.exit_code == 0, result.output
    table = truth(events)
    assert set(table["kind"]) == set(KINDS)
    assert set(table.loc[table["expected_detector"] == "none", "kind"]) == set(HARD_NEGATIVES)
    spikes = table[table["kind"].isin(["spike", "unit_error"])]
    small = spikes["magnitude"].astype(float) < 10
    assert set(spikes.loc[small, "expected_detector"]) <= {"isolation_forest"}
    assert set(spikes.loc[~small, "expected_detector"]) <= {"returned_spike", "quantity_jump"}


def changed(clean: Path, events: Path, row: dict[str, str]) -> pd.DataFrame:
    """The readings of a row's product and span, before and after."""
    frames = []
    for file in (clean, events):
        columns = ["store", "product", "category", "quantity", "price", "timestamp"]
        frame = pd.DataFrame(list(contents(file).elements()), columns=columns)
        timestamp = frame["timestamp"].between(pd.Timestamp(row["start"]), pd.Timestamp(row["end"]))
        frames.append(frame[(frame["store"] == row["store"]) & (frame["product"] == row["product"]) & timestamp])
    return frames[0].merge(frames[1], on=["store", "product", "timestamp"], how="outer", suffixes=("", "_after"))


@pytest.mark.parametrize(
    ("kind", "magnitude", "holds"),
    [
        ("spike", 3, lambda r: r.quantity_after >= 3 * r.quantity),
        ("spike", 1.2, lambda r: r.quantity_after > 1.19 * r.quantity),
        ("drop_to_zero", 0, lambda r: (r.quantity_after == 0) & (r.quantity >= 10)),
        ("negative", 7, lambda r: r.quantity_after == -7),
        ("unit_error", 12, lambda r: r.quantity_after == 12 * r.quantity),
        ("price_jump", 0.1, lambda r: abs(r.price_after - 0.1 * r.price) <= 0.005),
        ("price_zero", 0, lambda r: r.price_after == 0),
        ("slow_leak", 5, lambda r: (r.quantity_after / r.quantity.clip(lower=0.5)).between(0.3, 0.96)),
        ("level_shift", 2, lambda r: r.quantity_after == 2 * r.quantity),
        ("phantom_stock", 4, lambda r: (r.quantity_after == 4) & (r.quantity == 0)),
        ("stuck_sensor", 9, lambda r: r.quantity_after == r.quantity_after.iloc[0]),
        ("conflicting", 3, lambda r: r.quantity_after.isin([r.quantity.iloc[0], r.quantity.iloc[0] + 3])),
        ("wrong_category", 2, lambda r: r.category_after != r.category),
        ("unexpected_restock", 1, lambda r: r.quantity_after > r.quantity + 4),
        ("promotion", 1.8, lambda r: (r.quantity_after <= r.quantity) & (r.price_after <= r.price)),
        ("season_peak", 2, lambda r: r.quantity_after <= r.quantity),
        ("bulk_sale", 0.5, lambda r: r.quantity_after < r.quantity),
    ],
)  # fmt: skip
def test_each_kind_does_what_its_name_says(clean, events, kind, magnitude, holds):
    result = one(events, "--kind", kind, "--magnitude", str(magnitude))
    assert result.exit_code == 0, result.output
    (row,) = truth(events).to_dict("records")
    assert float(row["magnitude"]) == magnitude
    readings = changed(clean, events, row)
    assert len(readings) > 0
    assert holds(readings).all(), readings


def test_the_kinds_that_move_readings_elsewhere(clean, events):
    assert (
        one(events, "--kind", "missing_block", "--store", "Store_B", "--at", "2026-03-02", "--magnitude", "4").exit_code
        == 0
    )
    (block,) = truth(events).to_dict("records")
    silent = [key for key in contents(events) if (key[0], key[2]) == ("Store_B", block["category"])]
    assert not [key for key in silent if block["start"] <= key[5].strftime("%Y-%m-%dT%H:%M:%SZ") <= block["end"]]
    assert many(events, "--undo").exit_code == 0

    assert one(events, "--kind", "duplicate", "--magnitude", "3").exit_code == 0
    ((_, times),) = (contents(events) - contents(clean)).items()
    assert times == 3
    assert many(events, "--undo").exit_code == 0

    assert one(events, "--kind", "future_clock").exit_code == 0
    now = datetime(2026, 6, 30, tzinfo=UTC)
    rejected = [decode(line.message, now) for line in read_file(events)]
    assert [each.kind for each in rejected if isinstance(each, Rejection)] == ["future_timestamp"]
    assert many(events, "--undo").exit_code == 0

    assert one(events, "--kind", "launch").exit_code == 0
    (launch,) = truth(events).to_dict("records")
    new = contents(events) - contents(clean)
    assert {key[1] for key in new} == {launch["product"]}
    assert not contents(clean) - contents(events)


def test_an_anomaly_by_hand_begins_where_it_is_put(events):
    options = ["--kind", "negative", "--store", "Store_B", "--product", "P0003", "--at", "2026-03-02T00:00:00Z"]
    result = one(events, *options, "--magnitude", "4")
    assert result.exit_code == 0, result.output
    (row,) = truth(events).to_dict("records")
    assert (row["store"], row["product"], row["injected"]) == ("Store_B", "P0003", "-4")
    assert row["start"].startswith("2026-03-02")
    again = one(events, *options)
    assert again.exit_code == 1
    assert "no place for negative" in again.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "earthquake"], "There are: spike, drop_to_zero"),
        (["--kind", "spike", "--store", "Store_Z"], "There are: Store_A, Store_B, Store_C"),
        (["--kind", "spike", "--store", "Store_A", "--product", "P9"], "There are: P0001, P0002"),
        (["--kind", "negative", "--magnitude", "-3"], "is not within 1 to"),
        (["--kind", "spike", "--out", "out.csv"], "Name it .ndjson"),
    ],
)
def test_nonsense_by_hand_is_refused_with_what_exists(events, options, message):
    before = events.read_bytes()
    result = one(events, *options)
    assert result.exit_code == 1
    assert message in result.output
    assert events.read_bytes() == before
    assert [path.name for path in events.parent.iterdir()] == ["events.ndjson"]


def test_nonsense_of_many_is_refused_with_what_exists(events, tmp_path):
    (tmp_path / "mine.ndjson").write_text("mine")
    for options, message in (
        (["--kinds", "spike,earthquake"], "There are: spike"),
        (["--count", "-1"], "-1"),
        (["--out", str(tmp_path / "mine.ndjson")], "--force"),
    ):
        result = many(events, *options)
        assert result.exit_code != 0
        assert message in result.output
    assert (tmp_path / "mine.ndjson").read_text() == "mine"
    missing = many(tmp_path / "none.ndjson")
    assert missing.exit_code == 1
    assert "no such file" in missing.output
