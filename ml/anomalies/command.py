"""`inventory detect`: the anomaly detectors on any panel."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
import numpy as np
import pandas as pd

from ml.anomalies import detect, detectors
from ml.anomalies.series_table import periods_per_week
from ml.frames import typed_panel
from ml.panel_files import check_writable, read_table, report_date_order, write_table
from ml.registry import installed_names

ALERT_BUDGET = 0.02
COLUMNS = ["unique_id", "ds", "method", "score", "alert", "kind", "driver"]


@click.command()
@click.option(
    "--panel", "panel_file", type=click.Path(path_type=Path), required=True, help="unique_id, ds, y, peer columns"
)
@click.option("--freq", default="D", show_default=True, help="pandas frequency of the periods")
@click.option("--season", type=click.IntRange(min=1), default=7, show_default=True, help="periods in a season")
@click.option("--train-end", type=click.DateTime(), help="last period to learn from (default: go on learning)")
@click.option(
    "--peers", default="", help="columns that series of one group share: store,category (default: learned groups)"
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=7, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="scores, .csv or .parquet")
def command(
    panel_file: Path, freq: str, season: int, train_end: datetime | None, peers: str, seed: int, out: Path
) -> None:
    """Score every value of a panel by each detector, none by anything later than itself."""
    last = pd.Timestamp(train_end) if train_end else None
    check_writable(out, panel_file)
    panel = read_table(panel_file)
    try:
        typed = typed_panel(panel)
        report_date_order(panel_file, panel)
        found = detect(
            panel,
            detectors=installed_names(detectors),
            season=season,
            seed=seed,
            alert_budget=ALERT_BUDGET,
            freq=freq,
            train_end=last,
            all_rows=True,
            peers=[column.strip() for column in peers.split(",") if column.strip()],
        )
    except ValueError as error:
        raise click.ClickException(f"{panel_file}: {error}") from error
    # every detector returns the rows sorted; they are written in the order of the panel
    order = typed.sort_values(["unique_id", "ds"]).index
    found["row"] = np.resize(order, len(found))
    found = found.sort_values(["method", "row"])
    write_table(found[COLUMNS], out)
    if found["observed"].isna().all():
        click.echo(f"{panel_file}: holds no values, so nothing was scored.", err=True)
        return
    if last is not None and typed["ds"].max() <= last:
        click.echo(f"{panel_file}: ends before --train-end ({last}), so nothing was scored.", err=True)
    _report_sparse(found, freq)
    alerts = found.groupby("method")["alert"].agg(["sum", "size"])
    for method, counts in alerts.iterrows():
        click.echo(f"{method}: {int(counts['sum']):,} alerts in {int(counts['size']):,} values")


def _report_sparse(found: pd.DataFrame, freq: str) -> None:
    """Report series that are read less often than the panel's frequency: weekly ones in a daily panel."""
    read = found[found["observed"].notna() & (found["method"] == found["method"].min())].sort_values("ds")
    read = read[read.duplicated("unique_id", keep=False)]
    if read.empty:
        return
    period = pd.Timedelta(days=7) / periods_per_week(freq)
    typical = read.groupby("unique_id")["ds"].agg(lambda ds: ds.diff().median() / period)
    sparse = typical[typical >= 2]
    if len(sparse):
        name, periods = sparse.index[0], sparse.iloc[0]
        click.echo(
            f"{len(sparse):,} series are read less often than every {freq} ({name!r} every {periods:.0f} periods): "
            "put them into a panel of their own, with their own --freq.",
            err=True,
        )
