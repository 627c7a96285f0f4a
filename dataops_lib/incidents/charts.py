"""One incident on its clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter

from dataops_lib.chart_style import ACCENT, BAD, OK, PLAN, UNKNOWN, WARN, axes, describe
from dataops_lib.incidents import headlines
from dataops_lib.incidents.incident import Incident

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
