"""A decision graph, and pages with the runbooks that answer them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from dataops_lib.chart_style import ACCENT, BAD, OK, PLAN, UNKNOWN, WARN, axes, describe, nothing
from dataops_lib.runbooks import headlines
from dataops_lib.runbooks.coverage import Answer
from dataops_lib.runbooks.paths import OPEN, Graph, Node
from dataops_lib.runbooks.runbook import ESCALATED, RERUN, RESOLVED

_ENDS = {RESOLVED: (OK, "resolved"), ESCALATED: (WARN, "escalated"), OPEN: (BAD, "nobody says")}
_ASIDE = 1.5  # how far the manual re-run stands to the right of the response
_HALF = 0.38  # half the width of a box

Places = dict[Node, tuple[float, float]]


def ways(graph: Graph, ax: Axes | None = None) -> Axes:
    """Draw the steps of a response, the re-run beside them, and where each outcome leads."""
    title = headlines.ways(graph)
    reached = set(graph.reached)
    if not reached:
        return nothing(ax, title)
    places: Places = {}
    for node, _ in graph.steps:  # in the order in which they are written
        if node in reached:
            aside = node.place == RERUN
            row = sum(known.place == node.place for known in places)
            places[node] = (_ASIDE if aside else 0.0, -float(row) - (0.5 if aside else 0))
    lowest = min(y for _, y in places.values())
    ax = axes(ax, (8.0, 1.0 - 0.62 * lowest + 0.5))
    ax.set_axis_off()
    ax.set(xlim=(-0.9, _ASIDE + 1.0), ylim=(lowest - 0.5, 0.6))
    for node, step in graph.steps:
        if node in places:
            _step(ax, graph, node, step.title, places)
    ax.set_title(title)
    return describe(ax, f"{graph.alert}: {title}.")


def _step(ax: Axes, graph: Graph, node: Node, title: str, places: Places) -> None:
    """A box with its first sentence, its ends in words beside it, and arrows to other steps."""
    x, y = places[node]
    name = "re-run" if node.place == RERUN else "step"
    text = f"{name} {node.number}: {title.split('. ')[0]}"
    short = textwrap.fill(textwrap.shorten(text, 84, placeholder="…"), 38)
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": ACCENT}
    ax.text(x, y, short, ha="center", va="center", fontsize=6.5, bbox=box, zorder=3)
    ends = dict.fromkeys(e.end for e in graph.after(node) if isinstance(e.end, str))
    for line, end in enumerate(ends):
        colour, word = _ENDS[end]
        height = y + 0.18 - 0.26 * line
        style: dict[str, Any] = {"fontsize": 7, "color": colour, "fontweight": "bold"}
        ax.text(x + _HALF + 0.03, height, f"→ {word}", va="center", zorder=3, **style)
    for goal in dict.fromkeys(e.end for e in graph.after(node) if isinstance(e.end, Node)):
        _arrow(ax, places[node], places[goal])


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style: dict[str, Any] = {"arrowstyle": "->", "color": UNKNOWN}
    if start[0] != end[0]:
        side = _HALF if end[0] > start[0] else -_HALF
        ax.annotate("", (end[0] - side, end[1]), (start[0] + side, start[1]), arrowprops=style)
    elif end[1] == start[1] - 1:
        ax.annotate("", (end[0], end[1] + 0.3), (start[0], start[1] - 0.3), arrowprops=style)
    else:
        style["connectionstyle"] = f"arc3,rad={0.4 if end[1] < start[1] else -0.4}"
        left = start[0] - _HALF
        ax.annotate("", (left, end[1]), (left, start[1]), arrowprops=style)


def coverage(answered: Sequence[Answer], ax: Axes | None = None) -> Axes:
    """Draw pages by alert; the label says whether a runbook answers, and whether it passes."""
    title = headlines.coverage(answered)
    paged = [answer for answer in answered if answer.pages]
    if not paged:
        return nothing(ax, title)
    ax = axes(ax, (8.0, 1.2 + 0.35 * len(paged)))
    for row, answer in enumerate(paged):
        label = f"{answer.runbook}, {answer.weaknesses} weaknesses"
        colour, label = (PLAN, label) if answer.runbook else (BAD, "no runbook")
        colour, label = (OK, str(answer.runbook)) if answer.passes else (colour, label)
        ax.barh(-row, answer.pages, color=colour)
        ax.text(answer.pages, -row, f" {label}", va="center", fontsize=8)
    ax.set_yticks([-row for row in range(len(paged))], [answer.alert for answer in paged])
    ax.set(xlabel="pages (count)", xlim=(0, max(a.pages for a in paged) * 1.6), title=title)
    told = "; ".join(f"{a.alert}: {a.pages}, {a.runbook or 'no runbook'}" for a in paged)
    return describe(ax, f"{title}. {told}.")
