"""Describe the demo data: `make report` draws docs/demo_data/*.png and fills the tables of docs/demo_data.md.

The data are those of `inventory generate-data --profile demo --end 2026-06-30`. With REAL=FOLDER the same figures of
the real till data in that folder (the Complete Journey sample) stand beside them.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
import matplotlib.dates as mdates
import pandas as pd

from ingest.simulation.anomalies import KINDS, WHOLE_CATEGORY
from ingest.simulation.catalogue import CATEGORIES, PROFILES
from ingest.simulation.event_log import EventLog, Point
from ingest.simulation.generate_data import generate

mpl.use("Agg")
import matplotlib.pyplot as plt

END, SEED = date(2026, 6, 30), 7
REPORT = Path(__file__).with_suffix(".md")
FOLDER = REPORT.with_suffix("")
COLOURS = dict(zip(CATEGORIES, ["#2166AC", "#B2182B", "#4D9221", "#EF8A62", "#762A83"], strict=True))
BAD, TRUE, PALE = "#B2182B", "#2166AC", "#67A9CF"
WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def main(real: Path | None) -> None:
    """Generate the demo, draw it and write the report."""
    FOLDER.mkdir(exist_ok=True)
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9, "figure.dpi": 90})
    with TemporaryDirectory() as folder:
        clean, spoiled = Path(folder, "clean.ndjson"), Path(folder, "demo.ndjson")
        generate(replace(PROFILES["demo"], wrong=0), SEED, END, clean)
        generate(PROFILES["demo"], SEED, END, spoiled)
        truth = clean.with_suffix(".truth")
        demand = pd.read_parquet(truth / "demand.parquet").assign(
            event_date=lambda frame: pd.to_datetime(frame["event_date"])
        )
        demand = demand[demand["event_date"] < pd.Timestamp(END)]
        # who no longer orders a product does not miss it
        lives = pd.read_parquet(truth / "products.parquet").set_index("product_id")["end_of_life_date"]
        ends = pd.to_datetime(demand["product_id"].map(lives).astype("datetime64[ns]"))
        demand["is_missed"] = (demand["level"] == 0) & ~(demand["event_date"] >= ends)
        log = EventLog(clean)
        draw_week(demand)
        draw_sawtooth(demand)
        draw_season(demand)
        draw_stock_outs(demand)
        draw_promotions(demand, pd.read_csv(truth / "promotions.csv"))
        with (spoiled.with_suffix(".truth") / "anomalies.csv").open(newline="") as file:
            anomalies = list(csv.DictReader(file))
        draw_anomalies(log, EventLog(spoiled), anomalies)
        figures = {"demo": statistics(demand, log)}
    if real is not None:
        figures["real till data"] = real_statistics(real)
    fill(figures, anomalies)


def save(name: str) -> None:
    plt.tight_layout()
    plt.savefig(FOLDER / f"{name}.png", metadata={"Software": None})
    plt.close()


def draw_week(demand: pd.DataFrame) -> None:
    daily = demand.groupby(["category", "event_date"], observed=True)["sales"].sum().reset_index()
    daily["weekday"] = daily["event_date"].dt.dayofweek
    plt.figure(figsize=(8, 3))
    for category, group in daily.groupby("category", observed=True):
        week = group.groupby("weekday")["sales"].mean()
        plt.plot(WEEKDAYS, week / week.mean(), marker="o", color=COLOURS[str(category)], label=str(category))
    plt.axhline(1, color="grey", linewidth=0.5)
    plt.ylabel("units sold, mean day = 1")
    plt.legend(frameon=False, ncols=5, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1))
    save("week")


def draw_sawtooth(demand: pd.DataFrame) -> None:
    """Three products of one store that run out at least once: a fast, a medium and a slow one."""
    store = demand[(demand["store_location"] == "Store_B") & (demand["event_date"] >= "2025-11-01")]
    store = store[store["event_date"] < "2026-03-01"]
    rates = store.groupby("product_id", observed=True).agg(
        rate=("demand", "mean"), empty=("level", lambda level: (level == 0).sum()), days=("level", "size")
    )
    rates = rates[(rates["days"] == 120) & rates["empty"].between(2, 8)].sort_values("rate")
    chosen = rates.index[[len(rates) - 2, len(rates) // 2, len(rates) // 8]]
    _, axes = plt.subplots(3, 1, figsize=(8, 5.4), sharex=True)
    for axis, product in zip(axes, chosen, strict=True):
        series = store[store["product_id"] == product].set_index("event_date")
        axis.step(series.index, series["level"], where="post", color=TRUE, linewidth=1.2)
        arrived = series[series["receipts"] > 0]
        axis.scatter(arrived.index, arrived["level"], marker="^", color="black", s=14, zorder=3)
        axis.fill_between(
            series.index, 0, 1, where=series["promotion"], transform=axis.get_xaxis_transform(), color="#FDDBC7", lw=0
        )
        empty = series[series["level"] == 0]
        axis.scatter(empty.index, empty["level"], marker="s", color=BAD, s=10, zorder=4, clip_on=False)
        lost = int(series["lost_sales"].sum())
        title = f"{product}, {series['category'].iloc[0]}: {series['demand'].mean():.1f} asked for a day, {lost} lost"
        axis.set_title(title, fontsize=9, loc="left")
        axis.set_ylabel("units at closing")
        axis.set_ylim(bottom=0)
        axis.xaxis.set_major_formatter(mdates.DateFormatter("%d %b %Y"))
        axis.xaxis.set_major_locator(mdates.MonthLocator())
    save("sawtooth")


def draw_season(demand: pd.DataFrame) -> None:
    plt.figure(figsize=(8, 3))
    established = demand.groupby("product_id", observed=True)["event_date"].transform("size")
    whole = demand[established == established.max()]
    weekly = whole.groupby(["category", pd.Grouper(key="event_date", freq="W")], observed=True)["demand"].sum()
    for category, group in weekly.groupby(level=0, observed=True):
        series = group.droplevel(0).iloc[1:-1]
        plt.plot(series.index, series / series.mean(), color=COLOURS[str(category)], label=str(category))
    plt.axhline(1, color="grey", linewidth=0.5)
    plt.ylabel("units asked for a week, mean = 1")
    plt.legend(frameon=False, ncols=5, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1))
    save("season")


def draw_stock_outs(demand: pd.DataFrame) -> None:
    weeks = pd.Grouper(key="event_date", freq="W")
    lost = demand.groupby(weeks)[["lost_sales", "demand"]].sum().iloc[1:-1]
    empty = demand.groupby(weeks)["is_missed"].mean().iloc[1:-1]
    plt.figure(figsize=(8, 2.8))
    plt.plot(empty.index, 100 * empty, color=BAD, label="product-days that end out of stock")
    plt.plot(lost.index, 100 * lost["lost_sales"] / lost["demand"], color=TRUE, label="units asked for and not sold")
    plt.ylabel("%")
    plt.ylim(bottom=0)
    plt.legend(frameon=False, fontsize=8)
    save("stock_outs")


def draw_promotions(demand: pd.DataFrame, promotions: pd.DataFrame) -> None:
    """Demand around the first day of promotions, relative to the product's own mean; weekdays are evened out."""
    usual = demand.groupby(["store_location", "product_id"], observed=True)["demand"].transform("mean")
    weekday = demand.groupby(demand["event_date"].dt.dayofweek)["demand"].transform("mean") / demand["demand"].mean()
    relative = demand.assign(lift=demand["demand"] / usual / weekday, empty=demand["is_missed"])
    starts = promotions[["product_id", "start_date"]].assign(start_date=lambda f: pd.to_datetime(f["start_date"]))
    around = relative.merge(starts, on="product_id")
    around["day"] = (around["event_date"] - around["start_date"]).dt.days
    around = around[around["day"].between(-10, 20)].groupby("day")[["lift", "empty"]].mean()
    _, axis = plt.subplots(figsize=(8, 2.8))
    axis.bar(around.index, around["lift"], color=[TRUE if 0 <= day < 7 else PALE for day in around.index])
    axis.set_ylabel("demand, mean day = 1")
    axis.set_xlabel("days since the promotion began (20 % off for 7 days)")
    other = axis.twinx()
    other.plot(around.index, 100 * around["empty"], color=BAD)
    other.set_ylabel("% out of stock", color=BAD)
    other.set_ylim(bottom=0)
    save("promotions")


def draw_anomalies(clean: EventLog, spoiled: EventLog, anomalies: list[dict[str, str]]) -> None:
    """One anomaly of each kind: what happened (line) and what was reported (dots, larger where more than once)."""
    clearest = {row["kind"]: row for row in sorted(anomalies, key=lambda row: float(row["magnitude"]))}
    kinds = [kind for kind in KINDS.values() if kind.name in clearest]
    _, axes = plt.subplots(5, 4, figsize=(11, 11))
    for axis in axes.flat[len(kinds) :]:
        axis.axis("off")
    margin = timedelta(days=10)
    for axis, kind in zip(axes.flat, kinds, strict=False):
        row = clearest[kind.name]
        start = pd.Timestamp(row["start"])
        end = min(pd.Timestamp(row["end"]), start + 4 * margin)
        product = row["product"].removesuffix("-NEW")
        if product == WHOLE_CATEGORY:
            product = next(key[1] for key, points in clean.series.items() if points[0].category == row["category"])
        price = kind.name.startswith("price")

        def shown(log: EventLog, name: str, store: str = row["store"], span: Any = (start, end)) -> list[Point]:
            return [p for p in log.series[store, name] if span[0] - margin <= p.timestamp <= span[1] + margin]

        true = shown(clean, product)
        sent = shown(spoiled, row["product"] if kind.name == "launch" else product)
        sent = [point for point in sent if point.category == row["category"]]
        axis.axvspan(start - timedelta(hours=12), end + timedelta(hours=12), color="#EEEEEE", lw=0)
        axis.plot(
            [point.timestamp for point in true],
            [point.price if price else point.quantity for point in true],
            color=TRUE,
            linewidth=1.5,
            drawstyle="steps-post",
        )
        axis.scatter(
            [point.timestamp for point in sent],
            [point.price if price else point.quantity for point in sent],
            color=BAD,
            s=[6 + 18 * (len(point.lines) - 1) for point in sent],
            zorder=3,
        )
        note = " · must not alert" if kind.detector == "none" else ""
        axis.set_title(f"{kind.name} ({row['magnitude']}){note}", fontsize=8, loc="left")
        axis.set_ylabel("price" if price else "", fontsize=7)
        axis.tick_params(labelsize=6)
        axis.xaxis.set_major_locator(mdates.AutoDateLocator(minticks=2, maxticks=4))
        axis.xaxis.set_major_formatter(mdates.DateFormatter("%d %b"))
    save("anomalies")


def statistics(demand: pd.DataFrame, log: EventLog) -> dict[str, str]:
    """The figures of generated data: of demand and levels by day, and of the events."""
    timestamps = sum(len(points) for points in log.series.values())
    listed = len(demand) + int((demand["receipts"] > 0).sum())
    arrived: list[Any] = [None] * len(log.messages)
    for points in log.series.values():
        for point in points:
            for line in point.lines:
                arrived[line] = point.timestamp
    arrival = pd.Series(pd.DatetimeIndex(arrived))
    late = (arrival.cummax() - arrival) > pd.Timedelta(hours=1)
    daily = demand.groupby(["store_location", "product_id"], observed=True)
    return {
        **shape(demand.assign(series=daily.ngroup())[["series", "event_date", "sales"]]),
        "a product-day that ends out of stock": share(demand["is_missed"].mean()),
        "units asked for and not sold": share(demand["lost_sales"].sum() / demand["demand"].sum()),
        "product-days on promotion": share(demand["promotion"].mean()),
        "days of supply (mean stock ÷ mean daily sales)": f"{demand['level'].mean() / demand['sales'].mean():.0f}",
        "readings of a product and day": f"{timestamps / len(demand):.2f}",
        "readings that never arrive": share(1 - timestamps / listed),
        "readings that arrive over an hour late": share(late.mean()),
        "readings that arrive twice": share(1 - timestamps / len(log.messages)),
    }


def shape(sales: pd.DataFrame) -> dict[str, str]:
    """What daily sales look like; `sales`: `series, event_date, sales` with a row for each day."""
    by_series = sales.groupby("series")["sales"]
    sold = sales[sales["sales"] > 0].groupby("series")["sales"]
    interval = by_series.size() / sold.size()
    spread = (sold.std() / sold.mean()) ** 2
    smooth, even = interval < 1.32, spread < 0.49
    known = spread.notna()
    classes = {
        "smooth": smooth & even,
        "erratic": smooth & ~even,
        "intermittent": ~smooth & even,
        "lumpy": ~smooth & ~even,
    }
    total = sales.groupby("event_date")["sales"].sum()
    week = total.groupby(total.index.dayofweek).mean()
    weekly = total.resample("W").sum().iloc[1:-1]
    return {
        "series (store and product)": f"{sales['series'].nunique():,}",
        "days without a sale": share((sales["sales"] == 0).mean()),
        "units sold a day, median series": f"{by_series.mean().median():.2f}",
        **{f"series that are {name}": share((which & known).sum() / known.sum()) for name, which in classes.items()},
        "best weekday ÷ worst": f"{week.max() / week.min():.2f} ({WEEKDAYS[week.argmax()]}, {WEEKDAYS[week.argmin()]})",
        "total sales, this day with the day a week before": f"r = {total.autocorr(7):.2f}",
        "strongest week ÷ weakest": f"{weekly.max() / weekly.min():.2f}",
    }


def real_statistics(folder: Path) -> dict[str, str]:
    """The same figures of the Complete Journey sample, as far as it has them."""
    ledger = pd.read_csv(folder / "complete_journey_ledger.csv", parse_dates=["event_timestamp"])
    ledger["event_date"] = ledger["event_timestamp"].dt.normalize()
    keys = ["store_location", "product_id"]
    sold = ledger[ledger["event_type"] == "sale"].groupby([*keys, "event_date"])["quantity_delta"].sum().mul(-1)
    days = pd.date_range(ledger["event_date"].min(), ledger["event_date"].max())
    wide = sold.unstack("event_date").reindex(columns=days).fillna(0)
    sales = wide.reset_index(drop=True).rename_axis(index="series", columns="event_date").stack().rename("sales")
    readings = ledger.drop_duplicates([*keys, "event_timestamp"])
    return {
        **shape(sales.reset_index()),
        "readings of a product and day": f"{len(readings) / (len(wide) * len(days)):.2f}",
    }


def share(value: float) -> str:
    return f"{100 * value:.1f} %"


def fill(figures: dict[str, dict[str, str]], anomalies: list[dict[str, str]]) -> None:
    """Put the tables between their marks in the report; the words around them are written by hand."""
    names = list(figures)
    rows = [f"| | {' | '.join(names)} |", f"|---{'|---' * len(names)}|"]
    rows += [f"| {line} | {' | '.join(figures[name].get(line, '') for name in names)} |" for line in figures["demo"]]
    counts = Counter(row["kind"] for row in anomalies)
    kinds = ["| kind | what | magnitudes drawn | in the demo | expected detector |", "|---|---|---|---|---|"]
    for kind in KINDS.values():
        magnitudes = ", ".join(f"{magnitude:g}" for magnitude in kind.magnitudes)
        detector = kind.detector if isinstance(kind.detector, str) else "isolation_forest; from 10 on returned_spike"
        kinds.append(f"| `{kind.name}` | {kind.summary} | {magnitudes} | {counts[kind.name]} | {detector} |")
    text = REPORT.read_text()
    for name, table in (("figures", rows), ("kinds", kinds)):
        mark = f"<!-- {name} -->"
        before, _, after = text.split(mark)
        text = f"{before}{mark}\n\n" + "\n".join(table) + f"\n\n{mark}{after}"
    REPORT.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
