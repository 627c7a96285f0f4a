"""Explain: pictures. Each draws on an Axes and returns it; its title says what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, WeekdayLocator
from matplotlib.figure import Figure

from dataops_lib import budget, headlines, policy
from dataops_lib.models import Picture
from dataops_lib.objective import percent

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


# Error budgets (notebook 03) --------------------------------------------------------------------


def nothing(ax: Axes, title: str) -> Axes:
    """An empty picture that says why it is empty."""
    ax.set(title=title, xticks=[], yticks=[])
    ax.get_figure(root=True).set_size_inches(SIZE[0], 1.0)  # type: ignore[union-attr]
    ax.text(0.5, 0.5, "unknown", ha="center", va="center", color=UNKNOWN, transform=ax.transAxes)
    return describe(ax, title)


def burndown(
    history: pd.DataFrame,
    target: budget.Target | None,
    *,
    planted: Mapping[date, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of the budget left after each day of `history` (day, good, total).

    The dashed line is a budget spent evenly; planted faults are marked on the day they were due.
    """
    ax = axes(ax)
    left = budget.burndown(history, target or "99%")
    title = headlines.burndown(left)
    if target is None or left.empty or left["remaining"].isna().all():
        return nothing(ax, headlines.burndown(left.iloc[:0]))
    days = pd.to_datetime(left["day"])
    share, end = 100 * left["remaining"], float(left["remaining"].iloc[-1])
    ax.step(days, share, where="post", color=OK if end >= 0 else BAD, linewidth=2)
    ax.plot(days.iloc[[0, -1]], [100, 0], "--", color=PLAN, linewidth=1, label="spent evenly")
    ax.axhline(0, color="black", linewidth=0.8)
    named = {day: text for day, text in (planted or {}).items() if day in set(left["day"])}
    marks: Any = [pd.Timestamp(day) for day in named]
    if marks:
        at = [share[left["day"] == day].iloc[0] for day in named]
        ax.plot(marks, at, "v", color=BAD, label="planted fault")
    shown = percent(budget.as_target(target))
    ax.set(ylabel="error budget left (%)", title=f"Target {shown}: {title[0].lower()}{title[1:]}")
    ax.xaxis.set_major_locator(WeekdayLocator(byweekday=0))
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.legend(fontsize=8, frameon=False)
    faults = "; ".join(f"{day:%d %B}: {text}" for day, text in sorted(named.items()))
    text = f"Target {shown}: {title}. {headlines.largest_spender(left)}"
    return describe(ax, text + (f" Planted faults, marked: {faults}." if faults else ""))


def budgets(left: Iterable[tuple[str, float]], ax: Axes | None = None) -> Axes:
    """Draw the share of each budget that is left; what is not measured is named beside."""
    named = list(left)
    ax = axes(ax, (8.0, 1.0 + 0.4 * max(len(named), 1)))
    known = [(name, 100 * share) for name, share in named if share == share]  # NaN is not itself
    title = headlines.budgets(named)
    if not known:
        return nothing(ax, title)
    colours = [OK if share >= 25 else WARN if share >= 0 else BAD for _, share in known]
    bars = ax.barh([name for name, _ in known], [share for _, share in known], color=colours)
    ax.bar_label(bars, [f"{share:.0f} %" for _, share in known], fontsize=8, padding=3)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.set(xlabel="error budget left (%)", title=title)
    said = "; ".join(f"{name}: {share:.0f} % left" for name, share in known)
    return describe(ax, f"{title}. {said}.")


def months(table: pd.DataFrame, assumed_minutes: float, ax: Axes | None = None) -> Axes:
    """Draw the budget of each month against the one that 30 days would give."""
    ax = axes(ax)
    names = [str(name).split()[0] for name in table["month"]]
    bars = ax.bar(names, table["budget_minutes"], color=ACCENT)
    ax.bar_label(bars, [f"{value:.1f}" for value in table["budget_minutes"]], fontsize=7)
    ax.axhline(assumed_minutes, color=WARN, linestyle="--", label="a month of 30 days")
    low = float(table["budget_minutes"].min())
    title = headlines.months(table)
    ax.set(ylabel="budget (minutes)", title=title, ylim=(low * 0.9, None))
    ax.legend(fontsize=8, frameon=False, loc="lower right")
    return describe(ax, f"{title}. The axis does not begin at 0.")


def intervals(counted: pd.DataFrame, target: budget.Target | None, ax: Axes | None = None) -> Axes:
    """Draw the 95 % interval of the good share for each way of counting (`spending.trials`)."""
    ax = axes(ax, (8.0, 2.0))
    if counted.empty or counted["n"].sum() == 0:
        return nothing(ax, "Nothing was measured, so there is no interval")
    for at, row in enumerate(counted.to_dict("records")):
        ends = [100 * row["low"], 100 * row["high"]]
        ax.plot(ends, [at, at], color=ACCENT, linewidth=3, solid_capstyle="butt")
        ax.plot(100 * row["ratio"], at, "o", color=ACCENT)
    pairs = zip(counted["counted in"], counted["n"], strict=True)
    ax.set_yticks(range(len(counted)), [f"{n:,.0f} {unit}" for unit, n in pairs])
    if target is not None:
        ax.axvline(100 * float(budget.as_target(target)), color=OK, linestyle="--", label="target")
        ax.legend(fontsize=8, frameon=False)
    ax.margins(y=0.4)
    title = "Counted in minutes the history looks far more certain than it is"
    ax.set(xlabel="good (%), with 95 % interval", title=title)
    said = "; ".join(
        f"{row['counted in']}: {100 * row['low']:.1f} to {100 * row['high']:.1f} %"
        for row in counted.to_dict("records")
    )
    return describe(ax, f"{title}. {said}.")


def one_more(costs: pd.DataFrame, left: float, ax: Axes | None = None) -> Axes:
    """Draw what is left of the budget after one more incident of each length."""
    ax = axes(ax)
    if costs.empty:
        return nothing(ax, "No budget is promised, so no incident has a price in budgets")
    colours = [BAD if value < 0 else OK for value in costs["left_after"].fillna(0)]
    bars = ax.bar(costs["incident"], costs["budgets"], color=colours if left == left else ACCENT)
    ax.bar_label(bars, [f"{value:.2g}" for value in costs["budgets"]], fontsize=8)
    dear = costs.iloc[-1]
    title = f"One incident of {dear['incident']} costs {dear['budgets']:.2g} budgets"
    ax.axhline(1, color="black", linestyle="--", linewidth=0.8, label="the whole budget")
    if left > 0:
        ax.axhline(left, color=OK, linestyle=":", label="what is left")
    ax.legend(fontsize=8, frameon=False)
    ax.set(ylabel="price (budgets)", title=title)
    return describe(ax, f"{title}. {headlines.one_more(left, costs)}")


def reach(
    rules: Iterable[policy.BurnRule],
    targets: Iterable[str],
    period: timedelta,
    ax: Axes | None = None,
) -> Axes:
    """Draw how fast a total outage burns at each target, and what each alert rule waits for."""
    ax, named, asked = axes(ax), list(targets), list(rules)
    highest = [budget.burn_rate(1.0, target) for target in named]
    ax.plot(named, highest, "o-", color=ACCENT, label="total outage")
    for rule in asked:
        limit = policy.factor(rule, period)
        ax.axhline(limit, color=BAD, linestyle="--", linewidth=0.8)
        ax.text(len(named) - 0.6, limit, f"{rule.name} {limit:.3g}", fontsize=8, va="bottom")
    ax.set(
        yscale="log",
        xlabel="target",
        ylabel="burn rate",
        title=headlines.reach(asked, named, period),
    )
    ax.set_xlim(-0.3, len(named) + 0.4)
    ax.legend(fontsize=8, frameon=False, loc="upper left")
    return describe(ax, headlines.reach(asked, named, period))


def outlook(
    target: str,
    success: str = "99%",
    incidents: float = 1.0,
    hours: float = 4.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often a 30-day promise would hold, counted in runs and in minutes.

    `success` is the chance that a run is good, `incidents` come in a month and last `hours` in
    the middle (median).
    """
    ax = axes(ax, (8.0, 2.0))
    seen = budget.simulate(
        target,
        success_rate=float(budget.as_target(success)),
        incidents_per_month=incidents,
        median_minutes=hours * 60,
        months=20_000,
    )
    held = {
        f"30 runs, {seen.allowed_failures} may fail": seen.runs_met_exact,
        f"minutes, {seen.budget_minutes:.0f} may be bad": seen.minutes_met,
    }
    bars = ax.barh(list(held), [100 * value for value in held.values()], color=[ACCENT, PLAN])
    ax.bar_label(bars, [f"{100 * value:.0f} %" for value in held.values()], fontsize=8, padding=3)
    ax.invert_yaxis()
    title = headlines.outlook(target, seen)
    ax.set(xlim=(0, 110), xlabel="months in which the promise holds (%)", title=title)
    quantiles = ", ".join(f"{name} {value:.0f}" for name, value in seen.bad_minutes.items())
    text = f"{title}. Runs good with {success}, {incidents:g} incidents a month of {hours:g} hours"
    return describe(ax, f"{text}; bad minutes of a month: {quantiles}.")


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
        formatter = shell.display_formatter.formatters["image/png"]
        formatter.for_type(Figure, _png_with_alt_text)


describe_pictures_in_notebooks()
