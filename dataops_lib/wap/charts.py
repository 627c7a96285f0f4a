"""The snapshots of a table as a picture."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from dataops_lib.chart_style import BAD, OK, UNKNOWN, WARN, axes, describe
from dataops_lib.wap import headlines

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
