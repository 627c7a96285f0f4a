"""Pictures of notebooks 00 and 04."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, WeekdayLocator

from dataops_lib.chart_style import (
    ACCENT,
    BAD,
    OK,
    PLAN,
    UNKNOWN,
    WARN,
    axes,
    describe,
    nothing,
    stacked_bars,
)
from dataops_lib.course import headlines
from dataops_lib.teams.models import Picture


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


_RUNS = {"published": OK, "blocked": WARN, "failed": BAD, "skipped": UNKNOWN, "running": ACCENT}


def runs(counts: Mapping[str, Mapping[str, int]], ax: Axes | None = None) -> Axes:
    """Draw how the runs of each table ended, as labelled stacked bars."""
    title = headlines.runs(counts)
    if not counts:
        return nothing(ax, title)
    ax = axes(ax, (8.0, 1.0 + 0.45 * len(counts)))
    ax.set(title=title, xlabel="runs")
    return describe(ax, f"{title}. {stacked_bars(ax, counts, _RUNS)}.")
