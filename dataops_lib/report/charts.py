"""Pictures of page one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, WeekdayLocator

from dataops_lib import wording
from dataops_lib.chart_style import (
    ACCENT,
    BAD,
    PLAN,
    STATUS,
    WARN,
    axes,
    describe,
    nothing,
    stacked_bars,
)
from dataops_lib.report import headlines
from dataops_lib.teams.models import Picture


def daily(
    series: pd.DataFrame | None,
    picture: Picture | None,
    planted: Mapping[date, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a daily series, what was planned, real events as bands and planted faults as marks."""
    ax = axes(ax)
    if series is None or picture is None or series.empty:
        return nothing(ax, "No daily series: team.yaml names no picture, or its table is not there")
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
    ax.set(title=title, xlabel="service levels")
    words = stacked_bars(ax, counts, STATUS, {str(k): word for k, word in wording.WORDS.items()})
    return describe(ax, f"{title}. {words}.")
