"""Pictures of notebooks 00 and 04."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, WeekdayLocator

from dataops_lib.chart_style import ACCENT, BAD, OK, PLAN, UNKNOWN, WARN, axes, describe, unknown
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
