import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from ml.anomalies import detectors
from ml.anomalies.command import command as detect
from ml.forecasting.command import command as backtest
from ml.registry import installed_names


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
        ("y", float("inf"), "y is not a finite number in row 3"),
        ("ds", "2025-01-02", "series 'a' has more than one row for 2025-01-02"),
        ("y", None, "lacks the column y"),
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
