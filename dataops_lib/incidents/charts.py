"""One incident on its clock, and the causes of a postmortem."""

from __future__ import annotations

import textwrap
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter

from dataops_lib.chart_style import ACCENT, BAD, OK, PLAN, UNKNOWN, WARN, axes, describe, nothing
from dataops_lib.incidents import headlines
from dataops_lib.incidents.causes import Causes
from dataops_lib.incidents.incident import Incident

_SIGNS = {"audit": (WARN, "s"), "alert": (BAD, "^"), "consumer": (ACCENT, "D")}


def incident(event: Incident, zone: str, ax: Axes | None = None) -> Axes:
    """Draw an incident on its clock: what was due, run, published, found and read, a lane each."""
    tried = [attempt for disturbed in event.disturbances for attempt in disturbed.attempts]
    lanes: dict[str, tuple[set[datetime], str, str]] = {
        "due": ({disturbed.due_at for disturbed in event.disturbances}, UNKNOWN, "|"),
        "run started": ({a.started_at for a in tried if a.started_at}, PLAN, "o"),
        "published": ({a.published_at for a in tried if a.published_at}, OK, "o"),
    }
    names = {"audit": "stopped by the audit", "alert": "alert", "consumer": "read without the rows"}
    for by, (colour, mark) in _SIGNS.items():
        lanes[names[by]] = ({sign.at for sign in event.signs if sign.by == by}, colour, mark)
    ax = axes(ax, (8.0, 2.6))
    local = ZoneInfo(zone)
    start, end = event.due_at, event.resolved_at or event.until
    ax.axvspan(start.astimezone(local), end.astimezone(local), color=WARN, alpha=0.15, linewidth=0)  # type: ignore[arg-type]
    for lane, (moments, colour, mark) in enumerate(lanes.values()):
        times: Any = [moment.astimezone(local) for moment in sorted(moments)]
        ax.plot(times, [-lane] * len(times), mark, color=colour, markersize=8)
    ax.set_yticks([-lane for lane in range(len(lanes))], list(lanes))
    ax.set(ylim=(0.6 - len(lanes), 0.6), title=headlines.incident(event))
    ax.set_xlabel(f"time in {zone}; shaded: readers waited")
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator(), tz=local))
    words = "; ".join(f"{name}: {len(moments)} times" for name, (moments, _, _) in lanes.items())
    return describe(ax, f"{headlines.incident(event)}. {words}.")


def causes(named: Causes, what: str, ax: Axes | None = None) -> Axes:
    """Draw the branches of a postmortem's causes: from the incident down to what people found."""
    branches = named.branches
    if not branches:
        return nothing(ax, "nobody has named a cause yet")
    deepest = max(len(branch.whys) for branch in branches)
    ax = axes(ax, (8.0, 1.6 + 0.62 * deepest))
    ax.set_axis_off()
    ax.set(xlim=(-0.5, len(branches) - 0.5), ylim=(-deepest - 0.6, 1.2))
    middle = (len(branches) - 1) / 2
    _box(ax, middle, 0.8, what, ACCENT)
    for column, branch in enumerate(branches):
        _arrow(ax, (middle, 0.5), (column, 0.15))
        _box(ax, column, 0, branch.question, PLAN)
        for row, why in enumerate(branch.whys, 1):
            _arrow(ax, (column, 0.65 - row), (column, 0.35 - row))
            _box(ax, column, -row, why or "not written yet", OK if why else UNKNOWN)
    title = headlines.causes(named)
    ax.set_title(title)
    words = "; ".join(
        f"{b.question}: {', '.join(w or 'not written' for w in b.whys)}" for b in branches
    )
    return describe(ax, f"{title}. {words}.")


def _box(ax: Axes, x: float, y: float, text: str, colour: str) -> None:
    short = textwrap.shorten(text, 110, placeholder="…")
    ax.text(
        x, y, textwrap.fill(short, 34), ha="center", va="center", fontsize=7,
        bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": colour, "linewidth": 1.5},
    )  # fmt: skip


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": UNKNOWN})
