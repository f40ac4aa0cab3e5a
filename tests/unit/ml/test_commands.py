import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from ml.anomalies import detectors
from ml.anomalies.command import command as detect
from ml.forecasting.command import command as backtest
from ml.panel_files import read_table
from ml.registry import installed_names
from ml.text.command import command as detect_text


@pytest.fixture
def panel_file(tmp_path):
    days = pd.date_range("2025-01-01", periods=140)
    y = np.tile([5, 6, 7, 8, 9, 12, 3], 20)
    path = tmp_path / "panel.csv"
    pd.DataFrame({"unique_id": "a", "ds": days, "y": y}).to_csv(path, index=False)
    return path


def test_backtest_takes_the_last_cutoffs_that_leave_a_horizon(panel_file, tmp_path):
    out = tmp_path / "f.parquet"
    options = ["--panel", panel_file, "--horizon", "7", "--windows", "3", "--step", "2", "--models", "seasonal_naive"]
    result = CliRunner().invoke(backtest, [*map(str, options), "--out", str(out)])
    assert result.exit_code == 0, result.output
    made = pd.read_parquet(out)
    # the last day is 20 May; a horizon of 7 leaves 13 May, and steps of 2 the two before it
    assert list(made["cutoff"].dt.strftime("%m-%d").unique()) == ["05-09", "05-11", "05-13"]
    assert made.groupby("cutoff").size().tolist() == [7, 7, 7]
    assert "seasonal_naive" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--windows", "30"], "too few for 30 windows"),
        (["--models", "oracle"], "unknown model oracle"),
        (["--future", "promo"], "lacks the column promo"),
    ],
)
def test_backtest_says_what_is_wrong(panel_file, tmp_path, options, message):
    result = CliRunner().invoke(backtest, ["--panel", str(panel_file), *options, "--out", str(tmp_path / "f.csv")])
    assert result.exit_code == 1
    assert message in result.output
    assert "panel.csv" in result.output


def test_backtest_says_that_nothing_was_scored(panel_file, tmp_path):
    panel, out = pd.read_csv(panel_file), tmp_path / "f.csv"
    pd.concat([panel.head(50), panel.tail(5).assign(unique_id="b")]).to_csv(panel_file, index=False)
    options = ["--panel", panel_file, "--horizon", "7", "--windows", "1", "--models", "seasonal_naive", "--out", out]
    result = CliRunner().invoke(backtest, [*map(str, options)])
    assert result.exit_code == 0, result.output
    assert "panel.csv: no series goes on after a cutoff" in result.output
    assert set(pd.read_csv(out)["fallback_reason"]) == {"no value since 2025-02-19"}


def test_numbers_of_a_csv_file_are_those_of_a_parquet_file(tmp_path):
    y = np.random.default_rng(0).normal(50, 10, 1000)
    panel = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2020-01-01", periods=1000), "y": y})
    panel.to_csv(tmp_path / "panel.csv", index=False)
    assert read_table(tmp_path / "panel.csv")["y"].tolist() == y.tolist()


def test_detect_writes_every_row_by_each_method(panel_file, tmp_path):
    out = tmp_path / "d.csv"
    result = CliRunner().invoke(detect, ["--panel", str(panel_file), "--out", str(out)])
    assert result.exit_code == 0, result.output
    found = pd.read_csv(out)
    assert list(found.columns) == ["unique_id", "ds", "method", "score", "alert", "kind", "driver"]
    assert found.groupby("method").size().to_dict() == dict.fromkeys(installed_names(detectors), 140)


def test_a_missing_panel_is_named(tmp_path):
    result = CliRunner().invoke(detect, ["--panel", str(tmp_path / "no.csv"), "--out", str(tmp_path / "d.csv")])
    assert result.exit_code == 1
    assert "no such file" in result.output


@pytest.mark.parametrize(
    ("command", "option", "settings"),
    [
        (backtest, "--panel", ["--freq", "D", "--season", "7", "--horizon", "7"]),
        (detect, "--panel", ["--freq", "D", "--season", "7"]),
        (detect_text, "--notes", []),
    ],
)
def test_results_never_take_the_place_of_what_is_read(command, option, settings, panel_file):
    before = panel_file.read_bytes()
    same = panel_file.parent / "." / ".." / panel_file.parent.name / panel_file.name
    result = CliRunner().invoke(command, [option, str(panel_file), "--out", str(same), *settings])
    assert result.exit_code == 1
    assert "holds what is read. Name another file for the results." in result.output
    assert panel_file.read_bytes() == before


@pytest.mark.parametrize("command", [backtest, detect])
def test_a_season_may_be_longer_than_the_panel(command, panel_file, tmp_path):
    options = ["--panel", str(panel_file), "--out", str(tmp_path / "o.csv")]
    if command is backtest:
        options += ["--models", "seasonal_naive,ensemble"]
    written = []
    for season in (10_000, 10**9):
        result = CliRunner().invoke(command, [*options, "--season", str(season)])
        assert result.exit_code == 0, result.output
        written.append((tmp_path / "o.csv").read_bytes())
    assert written[0] == written[1]


def test_detect_takes_peers(tmp_path):
    path, out = tmp_path / "panel.csv", tmp_path / "d.csv"
    days = pd.date_range("2025-01-01", periods=100)
    pd.concat(
        pd.DataFrame({"unique_id": name, "ds": days, "y": 5.0, "store": "a"}) for name in ("a1", "a2", "a3")
    ).to_csv(path, index=False)
    options = ["--panel", str(path), "--out", str(out), "--peers"]
    assert CliRunner().invoke(detect, [*options, "store"]).exit_code == 0
    missing = CliRunner().invoke(detect, [*options, "store, region"])
    assert missing.exit_code == 1
    assert "panel.csv: the panel lacks the column region" in missing.output


def test_detect_names_a_weekly_series_in_a_daily_panel(tmp_path):
    path, out = tmp_path / "panel.csv", tmp_path / "d.csv"
    days = pd.date_range("2025-01-01", periods=140)
    daily = pd.DataFrame({"unique_id": "a", "ds": days, "y": 5.0})
    pd.concat([daily, daily[::7].assign(unique_id="rare")]).to_csv(path, index=False)
    result = CliRunner().invoke(detect, ["--panel", str(path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "1 series are read less often than every D ('rare' every 7 periods)" in result.output


@pytest.mark.parametrize(
    ("column", "value", "reported"),
    [
        ("y", float("inf"), "y is not a number up to 1e+19 in row 3: 'inf'"),
        ("y", -1e20, "y is not a number up to 1e+19 in row 3"),
        ("ds", "2025-01-02", "series 'a' has more than one row for 2025-01-02"),
        ("y", None, "lacks the column y"),
        ("ds", "yesterday", "ds cannot be read as time in row 3: 'yesterday'"),
        ("ds", "9999-12-31", "ds cannot be read as time in row 3"),
        ("unique_id", "", "unique_id is empty in row 3"),
    ],
)
def test_detect_names_bad_input_in_one_line(panel_file, tmp_path, column, value, reported):
    panel = pd.read_csv(panel_file).astype({"y": float})
    if value is None:
        panel = panel.drop(columns=column)
    else:
        panel.loc[2, column] = value
    panel.to_csv(panel_file, index=False)
    result = CliRunner().invoke(detect, ["--panel", str(panel_file), "--out", str(tmp_path / "d.csv")])
    assert result.exit_code == 1
    assert reported in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (["--freq", "0D"], "the frequency '0D' leads nowhere"),
        (["--freq", "-1D"], "the frequency '-1D' leads nowhere"),
        (["--freq", "1ns"], "check the first and last timestamps, and the freq"),
        (["--train-end", "2020-01-01"], "nothing to learn from"),
        (["--out", "found.txt"], "unknown ending '.txt'"),
        (["--out", "panel.csv/found.csv"], "the folder cannot be made"),
    ],
)
def test_detect_names_a_bad_setting_in_one_line(panel_file, monkeypatch, options, reported):
    monkeypatch.chdir(panel_file.parent)
    result = CliRunner().invoke(detect, ["--panel", "panel.csv", "--out", "found.csv", *options])
    assert result.exit_code == 1
    assert reported in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("rows", "y", "reported"), [(0, 1.0, "holds no values"), (140, None, "holds no values"), (1, 1.0, "0 alerts")]
)
def test_detect_takes_a_panel_with_hardly_a_value(panel_file, tmp_path, recwarn, rows, y, reported):
    pd.read_csv(panel_file).head(rows).assign(y=y).to_csv(panel_file, index=False)
    result = CliRunner().invoke(detect, ["--panel", str(panel_file), "--out", str(tmp_path / "d.csv")])
    assert result.exit_code == 0, result.output
    assert reported in result.output
    assert len(pd.read_csv(tmp_path / "d.csv")) == rows * len(installed_names(detectors))
    assert not [str(warning.message) for warning in recwarn if warning.category is RuntimeWarning]


def test_detect_reports_that_nothing_follows_train_end(panel_file, tmp_path):
    options = ["--panel", str(panel_file), "--out", str(tmp_path / "d.csv"), "--train-end", "2030-01-01"]
    assert "ends before --train-end" in CliRunner().invoke(detect, options).output


def test_detect_keeps_names_and_order_of_the_rows(panel_file, tmp_path):
    panel = pd.read_csv(panel_file)
    panel = pd.concat([panel.assign(unique_id=name) for name in ("NA", "007")]).sample(frac=1, random_state=1)
    panel.to_csv(panel_file, index=False)
    result = CliRunner().invoke(detect, ["--panel", str(panel_file), "--out", str(tmp_path / "d.csv")])
    assert result.exit_code == 0, result.output
    found = pd.read_csv(tmp_path / "d.csv", dtype=str, keep_default_na=False)
    for _, rows in found.groupby("method"):
        assert rows[["unique_id", "ds"]].values.tolist() == panel[["unique_id", "ds"]].values.tolist()


def test_detect_reads_each_spelling_of_a_day_alike(panel_file, tmp_path):
    panel = pd.read_csv(panel_file)
    written = []
    for spelling in ("%Y-%m-%d", "%Y%m%d", "%Y-%m-%dT00:00:00Z", "%Y-%m-%d 02:00:00+02:00"):
        ds = pd.to_datetime(panel["ds"]).dt.strftime(spelling)
        # one row in another spelling
        panel.assign(ds=[panel["ds"].iloc[0], *ds[1:]]).to_csv(panel_file, index=False)
        options = ["--panel", str(panel_file), "--out", str(tmp_path / "d.csv")]
        result = CliRunner().invoke(detect, options)
        assert result.exit_code == 0, result.output
        written.append((tmp_path / "d.csv").read_bytes())
    assert len(set(written)) == 1


@pytest.mark.parametrize("command", [backtest, detect])
def test_the_order_of_day_and_month_that_was_taken_is_reported(command, tmp_path):
    path, months = tmp_path / "panel.csv", pd.date_range("2023-01-01", periods=30, freq="MS")
    panel = pd.DataFrame({"unique_id": "a", "ds": months, "y": np.arange(30.0)})
    options = ["--panel", path, "--freq", "MS", "--season", "12", "--out", tmp_path / "out.csv"]
    options += ["--horizon", "3", "--windows", "1", "--models", "seasonal_naive"] if command is backtest else []
    written = []
    for spelling, first in (("%Y-%m-%d", None), ("%m/%d/%Y", "month"), ("%d/%m/%Y", "day")):
        panel.assign(ds=months.strftime(spelling)).to_csv(path, index=False)
        result = CliRunner().invoke(command, [*map(str, options)])
        assert result.exit_code == 0, result.output
        assert (f"panel.csv: its dates begin with the {first};" in result.stderr) == (first is not None)
        assert "begin with" not in result.stdout
        written.append((tmp_path / "out.csv").read_bytes())
    assert len(set(written)) == 1


def test_numbers_are_no_days(panel_file, tmp_path):
    panel = pd.read_csv(panel_file)
    panel.assign(ds=20250101 + np.arange(140)).to_parquet(tmp_path / "panel.parquet")
    options = ["--panel", str(tmp_path / "panel.parquet"), "--out", str(tmp_path / "d.csv")]
    assert "ds is a number in row 1" in CliRunner().invoke(detect, options).output


def test_a_series_named_by_the_index_is_read(panel_file, tmp_path):
    pd.read_csv(panel_file).set_index("unique_id").to_parquet(tmp_path / "panel.parquet")
    options = ["--panel", str(tmp_path / "panel.parquet"), "--out", str(tmp_path / "d.csv")]
    assert CliRunner().invoke(detect, options).exit_code == 0
