"""`inventory backtest`: the forecasters on any panel."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

from ml.forecasting import forecast, forecasters
from ml.forecasting.scores import score
from ml.frames import anchored, read_panel
from ml.panel_files import check_writable, read_table, report_date_order, write_table
from ml.registry import names_of


def _names(_: click.Context, __: click.Parameter, value: str | None) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()] if value else []


@click.command()
@click.option(
    "--panel",
    "panel_file",
    type=click.Path(path_type=Path),
    required=True,
    help="unique_id, ds, y[, known-future columns]",
)
@click.option("--freq", default="D", show_default=True, help="pandas frequency of the periods")
@click.option("--season", type=click.IntRange(min=1), default=7, show_default=True, help="periods in a season")
@click.option("--horizon", type=click.IntRange(min=1), default=28, show_default=True, help="periods to forecast")
@click.option("--windows", type=click.IntRange(min=1), default=4, show_default=True, help="number of cutoffs")
@click.option("--step", type=click.IntRange(min=1), help="periods between cutoffs (default: the horizon)")
@click.option("--future", callback=_names, help="known-future columns, separated by commas")
@click.option("--models", callback=_names, help="models, separated by commas (default: all)")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=7, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="forecast frame, .csv or .parquet")
def command(
    panel_file: Path,
    freq: str,
    season: int,
    horizon: int,
    windows: int,
    step: int | None,
    future: list[str],
    models: list[str],
    seed: int,
    out: Path,
) -> None:
    """Forecast a panel from its last cutoffs that leave a whole horizon each, and score the forecasts."""
    check_writable(out, panel_file)
    try:
        table = read_table(panel_file)
        panel = read_panel(table, future)
        report_date_order(panel_file, table)
        read = panel.loc[panel["y"].notna(), "ds"]
        if read.empty:
            raise ValueError("y is empty in every row: there is nothing to learn from")
        freq = anchored(freq, panel["ds"])
        dates = pd.date_range(read.min(), read.max(), freq=freq)
        last = len(dates) - 1 - horizon
        positions = [last - (step or horizon) * back for back in reversed(range(windows))]
        if not positions or positions[0] < 1:
            needed = horizon + (step or horizon) * (windows - 1) + 2
            raise ValueError(
                f"{len(dates)} periods are too few for {windows} windows of {horizon}: {needed} are needed. "
                "Take fewer windows or a shorter horizon."
            )
        forecasts = forecast(
            panel,
            models=models or [*names_of(forecasters), "ensemble"],
            cutoffs=[dates[position] for position in positions],
            horizon=horizon,
            season=season,
            freq=freq,
            seed=seed,
            future_columns=future,
            progress=lambda stage: click.echo(f"  {stage}", err=True),
        ).frame
    except ValueError as error:
        raise click.ClickException(f"{panel_file}: {error}") from error
    write_table(forecasts, out)
    scores = score(forecasts, panel, season, freq)
    if scores.empty:
        click.echo(
            f"{panel_file}: no series goes on after a cutoff that it began before, so nothing was scored.", err=True
        )
    else:
        click.echo(scores.to_string(index=False, float_format="{:.3f}".format))
    click.echo(f"{len(forecasts):,} forecasts in {out}")
