"""Explain: pictures. Each draws on an Axes and returns it; its title says what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, WeekdayLocator
from matplotlib.figure import Figure

from dataops_lib import headlines
from dataops_lib.incident import Incident
from dataops_lib.models import Picture

# Okabe and Ito's colours: told apart by colour-blind readers, one for each status everywhere.
OK, WARN, BAD, UNKNOWN, ACCENT, PLAN = (
    "#009E73", "#E69F00", "#D55E00", "#999999", "#0072B2", "#56B4E9",
)  # fmt: skip
STATUS = {"ok": OK, "warn": WARN, "fail": BAD, "unknown": UNKNOWN}
MARKS = {"ok": "o", "warn": "s", "fail": "X", "unknown": "D"}
SIZE = (8.0, 3.2)
DPI = 80


def axes(ax: Axes | None = None, size: tuple[float, float] = SIZE) -> Axes:
    """The given axes, or new ones in the suite's size."""
    if ax is None:
        _, ax = plt.subplots(figsize=size, dpi=DPI, layout="constrained")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax


def describe(ax: Axes, text: str) -> Axes:
    """Give the picture of `ax` a text for those who cannot see it."""
    ax.figure.set_label(text)
    return ax


def unknown(why: str, ax: Axes | None = None) -> Axes:
    """An empty picture that says why there is nothing to draw."""
    ax = axes(ax, (8.0, 1.2))
    ax.set_axis_off()
    ax.text(0.5, 0.5, why, ha="center", va="center", color=UNKNOWN, transform=ax.transAxes)
    return describe(ax, why)


def daily(
    series: pd.DataFrame | None,
    picture: Picture | None,
    planted: Mapping[date, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a daily series, what was planned, real events as bands and planted faults as marks."""
    ax = axes(ax)
    if series is None or picture is None or series.empty:
        return unknown("No daily series: team.yaml names no picture, or its table is not there", ax)
    days = pd.to_datetime(series["day"])
    if picture.planned:
        ax.step(days, series[picture.planned], where="mid", color=PLAN, label=picture.planned)
    actual = series[picture.actual]
    ax.plot(days, actual, color=ACCENT, linewidth=1, marker=".", markersize=4, label=picture.actual)
    top = float(series[picture.planned or picture.actual].max()) if len(series) else 1.0
    for event in picture.events:
        if len(days) and event.day <= days.iloc[-1].date():
            first: Any = pd.Timestamp(event.day)
            last: Any = pd.Timestamp(event.until or event.day)
            half = pd.Timedelta(hours=12)
            ax.axvspan(first - half, last + half, color=WARN, alpha=0.25, linewidth=0)
            ax.annotate(f"{event.text} (real)", (last + half, top * 0.12), xytext=(4, 0),
                        textcoords="offset points", fontsize=8)  # fmt: skip
    marks: Any = [pd.Timestamp(day) for day in planted or {}]
    if marks:
        ax.plot(marks, [top * 1.08] * len(marks), "v", color=BAD, label="planted fault")
    ax.set(
        ylim=(0, top * 1.22), ylabel=f"{picture.unit} a day", title=headlines.daily(series, picture)
    )
    ax.xaxis.set_major_locator(WeekdayLocator(byweekday=0, interval=2))
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.legend(loc="lower left", ncols=3, fontsize=8, frameon=False)
    faults = "; ".join(f"{day:%d %B}: {text}" for day, text in sorted((planted or {}).items()))
    text = f"{headlines.daily(series, picture)}. Line of {picture.unit} a day."
    return describe(ax, text + (f" Planted faults, marked: {faults}." if faults else ""))


def statuses(counts: Mapping[str, Mapping[str, int]], title: str, ax: Axes | None = None) -> Axes:
    """Draw how many findings of each status each group has, as labelled stacked bars."""
    ax = axes(ax, (8.0, 0.9 + 0.45 * max(len(counts), 1)))
    groups = list(counts)
    left = [0] * len(groups)
    for status, colour in STATUS.items():
        widths = [counts[group].get(status, 0) for group in groups]
        if any(widths):
            label = headlines.WORDS[status]
            bars = ax.barh(groups, widths, left=left, color=colour, label=label, edgecolor="white")
            ax.bar_label(
                bars, [str(w) if w else "" for w in widths], label_type="center", fontsize=8
            )
            left = [a + b for a, b in zip(left, widths, strict=True)]
    ax.invert_yaxis()
    ax.set(title=title, xlabel="service levels")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    said = "; ".join(
        f"{group}: " + ", ".join(f"{n} {headlines.WORDS[s]}" for s, n in by.items() if n)
        for group, by in counts.items()
    )
    return describe(ax, f"{title}. {said}.")


# -- notebook 04: the snapshot graph, and news that are bad and true

_SNAPSHOT = {"main": (OK, "o"), "audit": (WARN, "s"), "withdrawn": (BAD, "8"), "": (UNKNOWN, "D")}


def snapshots(graph: pd.DataFrame, ax: Axes | None = None, last: int = 9) -> Axes:
    """Draw a table's last snapshots, the way readers went, and what points where.

    `graph` has one row per snapshot, oldest first: snapshot, parent, rows, on_main, refs.
    """
    shown = graph.tail(last).reset_index(drop=True)
    at = _places(shown)
    lowest = min((y for _, y in at.values()), default=0)
    ax = axes(ax, (8.0, 1.9 - 0.85 * lowest))
    for row in _records(shown):
        x, y = at[row["snapshot"]]
        start = at.get(row["parent"], (x - 0.6, y) if row["parent"] else None)
        if start:
            style = "-" if row["parent"] in at else ":"
            colour = OK if row["on_main"] else UNKNOWN
            bend = start[0] + 0.5  # so that two branches of one snapshot do not lie on each other
            ax.plot([start[0], bend, bend, x], [start[1], start[1], y, y], style, color=colour,
                    zorder=1, linewidth=2)  # fmt: skip
        kinds = [ref.split(" ")[0] for ref in row["refs"]]
        kind = "main" if row["on_main"] else next((k for k in kinds if k in _SNAPSHOT), "")
        colour, mark = _SNAPSHOT[kind]
        ax.plot(x, y, mark, color=colour, markersize=20, zorder=2)
        ax.text(
            x, y, row["snapshot"], ha="center", va="center", color="white", fontsize=8, zorder=3
        )
        ax.annotate(f"{row['rows']:,} rows", (x, y), (0, -13), textcoords="offset points",
                    ha="center", va="top", fontsize=7)  # fmt: skip
        for number, ref in enumerate(sorted(row["refs"], key=lambda ref: ref == "main")):
            weight = "bold" if ref == "main" else "normal"
            words = "main: readers are here" if ref == "main" else ref.replace(" ", "\n", 1)
            lift = 13 + 19 * number
            ax.annotate(words, (x, y), (0, lift), textcoords="offset points", ha="center",
                        fontsize=7, weight=weight)  # fmt: skip
    ax.set(title=headlines.snapshots(graph), xlim=(-0.8, max(len(shown), 5) - 0.2))
    ax.set(ylim=(lowest - 0.5, 0.95), yticks=[], xticks=[])
    ax.set_xlabel("snapshots in the order in which they were written")
    ax.spines["left"].set_visible(False)
    said = "; ".join(
        f"{row['snapshot']} from {row['parent'] or 'nothing'}, {row['rows']:,} rows"
        + (f", {', '.join(row['refs'])}" if row["refs"] else "")
        for row in _records(shown)
    )
    return describe(ax, f"{headlines.snapshots(graph)}. {said}.")


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _places(shown: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Where each snapshot stands: readers' way on top, every other line in a lane below it."""
    at: dict[str, tuple[float, float]] = {}
    reached: list[float] = []  # how far to the right each lane is taken
    for x, row in enumerate(_records(shown)):
        if row["on_main"]:
            at[row["snapshot"]] = (x, 0)
            continue
        start = at.get(row["parent"], (x - 1, 0))
        lane = -int(start[1])
        if not lane:
            free = [n for n, end in enumerate(reached, 1) if end < start[0]]
            lane = free[0] if free else len(reached) + 1
            reached += [0.0] * (lane - len(reached))
        reached[lane - 1] = x
        at[row["snapshot"]] = (x, -lane)
    return at


def anomaly(
    rows: pd.DataFrame, actual: pd.DataFrame, picture: Picture, ax: Axes | None = None
) -> Axes:
    """Draw two series with the days that a volume check would stop: all rows, and what happened.

    Both have the columns of `sli.volume`: day, rows, verdict.
    """
    ax = axes(ax)
    for frame, colour, label in ((rows, PLAN, "rows"), (actual, ACCENT, picture.actual)):
        days = pd.to_datetime(frame["day"])
        ax.plot(days, frame["rows"], color=colour, linewidth=1.2, label=f"{label} a day")
        stopped = frame["verdict"] == "fail"
        ax.plot(days[stopped], frame["rows"][stopped], "X", color=BAD, markersize=9)
    ax.plot([], [], "X", color=BAD, label="stopped by the check")
    top = float(max(rows["rows"].max(), actual["rows"].max())) if len(rows) else 1.0
    ax.set(ylim=(0, top * 1.3), ylabel=f"{picture.unit} a day")
    ax.set_title(headlines.anomaly(rows, actual, picture))
    ax.xaxis.set_major_locator(WeekdayLocator(byweekday=0, interval=2))
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.legend(loc="upper left", ncols=3, fontsize=8, frameon=False)
    return describe(ax, f"{headlines.anomaly(rows, actual, picture)}. Two lines by day.")


# -- notebook 00: how runs ended

_RUNS = {"published": OK, "blocked": WARN, "failed": BAD, "skipped": UNKNOWN, "running": ACCENT}


def runs(counts: Mapping[str, Mapping[str, int]], ax: Axes | None = None) -> Axes:
    """Draw how the runs of each table ended, as labelled stacked bars."""
    title = headlines.runs(counts)
    if not counts:
        return unknown(title, ax)
    ax = axes(ax, (8.0, 1.0 + 0.45 * len(counts)))
    left = [0] * len(counts)
    for status, colour in _RUNS.items():
        widths = [found.get(status, 0) for found in counts.values()]
        if any(widths):
            bars = ax.barh(list(counts), widths, left=left, color=colour, label=status,
                           edgecolor="white")  # fmt: skip
            labels = [str(width) if width else "" for width in widths]
            ax.bar_label(bars, labels, label_type="center", fontsize=8)
            left = [a + b for a, b in zip(left, widths, strict=True)]
    ax.invert_yaxis()
    ax.set(title=title, xlabel="runs")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    said = "; ".join(
        f"{table}: " + ", ".join(f"{n} {status}" for status, n in found.items())
        for table, found in counts.items()
    )
    return describe(ax, f"{title}. {said}.")


# -- notebook 05: one incident

_SIGNS = {"audit": (WARN, "s"), "alert": (BAD, "^"), "consumer": (ACCENT, "D")}


def incident(one: Incident, zone: str, ax: Axes | None = None) -> Axes:
    """Draw an incident on its clock: what was due, run, published, found and read, a lane each."""
    tried = [attempt for disturbed in one.disturbances for attempt in disturbed.attempts]
    lanes: dict[str, tuple[set[datetime], str, str]] = {
        "due": ({disturbed.due_at for disturbed in one.disturbances}, UNKNOWN, "|"),
        "run started": ({a.started_at for a in tried if a.started_at}, PLAN, "o"),
        "published": ({a.published_at for a in tried if a.published_at}, OK, "o"),
    }
    names = {"audit": "stopped by the audit", "alert": "alert", "consumer": "read without the rows"}
    for by, (colour, mark) in _SIGNS.items():
        lanes[names[by]] = ({sign.at for sign in one.signs if sign.by == by}, colour, mark)
    ax = axes(ax, (8.0, 2.6))
    local = ZoneInfo(zone)
    start, end = one.due_at, one.resolved_at or one.until
    ax.axvspan(start.astimezone(local), end.astimezone(local), color=WARN, alpha=0.15, linewidth=0)  # type: ignore[arg-type]
    for lane, (moments, colour, mark) in enumerate(lanes.values()):
        times: Any = [moment.astimezone(local) for moment in sorted(moments)]
        ax.plot(times, [-lane] * len(times), mark, color=colour, markersize=8)
    ax.set_yticks([-lane for lane in range(len(lanes))], list(lanes))
    ax.set(ylim=(0.6 - len(lanes), 0.6), title=headlines.incident(one))
    ax.set_xlabel(f"time in {zone}; shaded: readers waited")
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator(), tz=local))
    said = "; ".join(f"{name}: {len(moments)} times" for name, (moments, _, _) in lanes.items())
    return describe(ax, f"{headlines.incident(one)}. {said}.")


def alt_text(figure: Figure) -> str:
    """What a picture says in words: its own description, or the titles of its axes."""
    titles: Iterable[str] = (ax.get_title() for ax in figure.axes)
    return str(figure.get_label() or "") or "; ".join(filter(None, titles)) or "Picture"


def _png_with_alt_text(figure: Figure) -> tuple[bytes, dict[str, Any]]:
    from IPython.core.pylabtools import print_figure

    return print_figure(figure, fmt="png", dpi=figure.dpi), {"alt": alt_text(figure)}


def describe_pictures_in_notebooks() -> None:
    """Make every figure shown in this kernel carry its alt text; nothing outside of IPython."""
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and hasattr(shell, "display_formatter"):
        plt.switch_backend(plt.get_backend())  # load it now: loading sets a formatter of its own
        formatter = shell.display_formatter.formatters["image/png"]
        formatter.for_type(Figure, _png_with_alt_text)


describe_pictures_in_notebooks()
