"""Pictures of promises: budgets, alerts, evidence. Each draws on an Axes it returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, WeekdayLocator

from dataops_lib.chart_style import ACCENT, BAD, OK, PLAN, WARN, axes, describe, nothing
from dataops_lib.service_levels import budget, burn_alerts, headlines, objectives
from dataops_lib.windows import Window
from dataops_lib.wording import number, percent, plural


def burndown(
    history: pd.DataFrame,
    target: budget.Target | None,
    *,
    planted: Mapping[date, str] | None = None,
    whole: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of the budget left after each day of `history` (day, good, total).

    `whole` is the total of the period where that is not over yet.
    The dashed line is a budget spent evenly; planted faults are marked on the day they were due.
    """
    ax = axes(ax)
    if target is None or not history["total"].sum():
        return nothing(ax, "Nothing was measured, so no budget can be drawn")
    left = budget.burndown(history, target, expected_total=whole)
    title = headlines.burndown(left)
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
    shown = percent(objectives.as_target(target))
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
    texts = [percent(share / 100, digits=2) for _, share in known]
    ax.bar_label(bars, texts, fontsize=8, padding=3)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.set(xlabel="error budget left (%)", title=title)
    words = "; ".join(f"{name}: {text} left" for (name, _), text in zip(known, texts, strict=True))
    return describe(ax, f"{title}. {words}.")


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
        ax.axvline(
            100 * float(objectives.as_target(target)), color=OK, linestyle="--", label="target"
        )
        ax.legend(fontsize=8, frameon=False)
    ax.margins(y=0.4)
    title = "Counted in minutes the history looks far more certain than it is"
    if len(counted) < 2:
        title = "What the history shows, if failures are independent"
    ax.set(xlabel="good (%), with 95 % interval", title=title)
    words = "; ".join(
        f"{row['counted in']}: {100 * row['low']:.1f} to {100 * row['high']:.1f} %"
        for row in counted.to_dict("records")
    )
    return describe(ax, f"{title}. {words}.")


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
    return describe(ax, f"{title}. {headlines.budgets_used(left)}.")


def reach(
    rules: Iterable[burn_alerts.BurnRule],
    targets: Iterable[str],
    period: timedelta,
    ax: Axes | None = None,
) -> Axes:
    """Draw how fast a total outage burns at each target, and what each alert rule waits for."""
    ax, named, asked = axes(ax), list(targets), list(rules)
    highest = [budget.burn_rate(1.0, target) for target in named]
    ax.plot(named, highest, "o-", color=ACCENT, label="total outage")
    for rule in asked:
        limit = burn_alerts.factor(rule, period)
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
    *,
    days: float = 30,
    runs: int = 30,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often a promise over `days` would hold, counted in runs and in minutes.

    `success` is the chance that each of the `runs` of a period is good, `incidents` come in a
    month and last `hours` in the middle (median).
    """
    ax = axes(ax, (8.0, 2.0))
    chances = budget.simulate(
        target,
        success_rate=float(objectives.as_target(success)),
        incidents_per_month=incidents,
        median_minutes=hours * 60,
        months=20_000,
        period_days=days,
        runs=runs,
    )
    held = {
        f"{plural(runs, 'run')}, {chances.allowed_failures} may fail": chances.runs_met_exact,
        f"minutes, {number(chances.budget_minutes)} may be bad": chances.minutes_met,
    }
    bars = ax.barh(list(held), [100 * value for value in held.values()], color=[ACCENT, PLAN])
    texts = [percent(value, digits=2) for value in held.values()]
    ax.bar_label(bars, texts, fontsize=8, padding=3)
    ax.invert_yaxis()
    title = headlines.outlook(target, chances)
    ax.set(xlim=(0, 110), xlabel="periods in which the promise holds (%)", title=title)
    quantiles = ", ".join(f"{name} {value:.0f}" for name, value in chances.bad_minutes.items())
    text = f"{title}. Runs good with {success}, {incidents:g} incidents a month of {hours:g} hours"
    return describe(ax, f"{text}; bad minutes of a period: {quantiles}.")


def averages(found: Mapping[str, float], target: budget.Target, ax: Axes | None = None) -> Axes:
    """Draw what each way of averaging finds, against the share that the target allows."""
    ax = axes(ax, (8.0, 1.9))
    bars = ax.barh(list(found), [100 * value for value in found.values()], color=ACCENT)
    ax.bar_label(
        bars, [percent(value, digits=3) for value in found.values()], fontsize=8, padding=3
    )
    allowed = 100 * float(1 - objectives.as_target(target))
    ax.axvline(allowed, color=BAD, linestyle="--", label=f"allowed: {allowed:.3g} %")
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.legend(fontsize=8, frameon=False, loc="upper right")
    title = headlines.averages(found)
    ax.set(xlabel="errors (%)", title=title)
    return describe(ax, f"{title}. {headlines.shares(found)}.")


def published(found: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how many times too high or too low each printed number is (`policy.published`)."""
    ax = axes(ax, (8.0, 0.9 + 0.3 * len(found)))
    off = found["printed"] / found["right"]
    names = [f"{row['where']}: {row['what']}" for row in found.to_dict("records")]
    ax.barh(names, off - 1, left=1, color=[BAD if one > 1 else WARN for one in off])
    words = [
        f"{row['printed']:,.4g}, right {row['right']:,.4g}" for row in found.to_dict("records")
    ]
    for at, (end, text) in enumerate(zip(off, words, strict=True)):
        ax.text(1.06 * max(end, 1.0), at, text, fontsize=8, va="center")
    ax.axvline(1, color="black", linewidth=0.8)
    ax.invert_yaxis()
    title = f"{(off > 1).sum()} of {len(off)} are too high, one {off.max():.0f} times"
    ax.set(xscale="log", xlim=(0.5, 60), xlabel="printed / right (log)", title=title)
    ax.set_xticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    ax.tick_params(axis="y", labelsize=8)
    listed = "; ".join(f"{name}: {text}" for name, text in zip(names, words, strict=True))
    return describe(ax, f"{headlines.published(found)}. {listed}.")


def ages(
    landings: Iterable[datetime],
    window: Window,
    limits: Mapping[str, timedelta],
    ax: Axes | None = None,
) -> Axes:
    """Draw the age of a table between its landings, and limits that a promise may mean."""
    ax, at = axes(ax), sorted(moment for moment in landings if moment < window.end)
    if not at:
        return nothing(ax, "No landing is known, so the table has no age")
    moments: list[Any] = []
    hours: list[float] = []
    for start, end in zip(at, [*at[1:], window.end], strict=True):
        if end > window.start:
            begin = max(start, window.start)
            moments += [begin, end]
            hours += [(begin - start) / timedelta(hours=1), (end - start) / timedelta(hours=1)]
    ax.plot(moments, hours, color=ACCENT, linewidth=1)
    for (name, limit), colour in zip(limits.items(), (BAD, OK, PLAN), strict=False):
        ax.axhline(limit / timedelta(hours=1), color=colour, linestyle="--", label=name)
    oldest = max(hours)
    title = f"The table ages up to {oldest:.0f} hours between two landings"
    ax.set(ylabel="age (hours)", title=title, ylim=(0, 1.2 * oldest))  # room for the legend
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.legend(fontsize=8, frameon=False, loc="upper left", ncols=2)
    words = "; ".join(
        f"{name}: {limit / timedelta(hours=1):g} hours" for name, limit in limits.items()
    )
    return describe(ax, f"{title}. Limits: {words}.")


def two_ages(landings: pd.DataFrame | None, window: Window, ax: Axes | None = None) -> Axes:
    """Draw the time since the last publish and since the newest record (`Observed.landings`)."""
    ax, known = axes(ax), [] if landings is None else landings.dropna().to_dict("records")
    if not known:
        return nothing(ax, "No published table can be read, so neither age is known")
    ends = [*(row["published_at"] for row in known[1:]), window.end]
    highest = {}
    for name, column, colour, style in (
        ("since the newest record", "newest_event_at", WARN, "-"),
        ("since the last publish", "published_at", ACCENT, "--"),
    ):
        moments: list[Any] = []
        hours: list[float] = []
        newest = pd.Series([row[column] for row in known]).cummax()
        for row, reached, end in zip(known, newest, ends, strict=True):
            if end > window.start:
                span = [max(row["published_at"], window.start), end]
                moments += span
                hours += [(moment - reached) / timedelta(hours=1) for moment in span]
        ax.plot(moments, hours, style, color=colour, linewidth=1, label=name)
        highest[name] = max(hours)
    oldest, published = highest.values()
    title = f"Records get up to {oldest:.0f} hours old, publishes up to {published:.0f}"
    ax.set(ylabel="age (hours)", title=title, ylim=(0, 1.2 * oldest))  # room for the legend
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.legend(fontsize=8, frameon=False, loc="upper left", ncols=2)
    return describe(ax, f"{title}. Both fall at a publish, the first only as far as its new rows.")


def pair(
    good: Sequence[bool], slo_red: Sequence[bool], sla_red: Sequence[bool], ax: Axes | None = None
) -> Axes:
    """Draw daily runs, and on which days the SLO and the SLA over them are broken."""
    ax = axes(ax, (8.0, 1.9))
    rows = {"runs": [not ok for ok in good], "SLO": list(slo_red), "SLA": list(sla_red)}
    for at, red in enumerate(rows.values()):
        for day, broken in enumerate(red):
            ax.barh(at, 1, left=day, height=0.7, color=BAD if broken else OK, edgecolor="white",
                    linewidth=0.3, hatch="///" if broken else None)  # fmt: skip
    ax.set_yticks(range(3), rows)
    ax.invert_yaxis()
    title = headlines.pair(slo_red, sla_red)
    ax.set(xlabel="day (hatched: failed or broken)", title=title)
    return describe(ax, f"{title}. {list(good).count(False)} of {len(good)} runs failed.")


def proven(targets: Iterable[str], runs: int = 700, ax: Axes | None = None) -> Axes:
    """Draw the rate that n clean runs prove at least, and where each target is reached."""
    ax = axes(ax)
    counts = list(range(1, runs + 1))
    ax.plot(counts, [100 * budget.proven(n, n) for n in counts], color=ACCENT)
    words = []
    for target in targets:
        needed, level = budget.runs_to_prove(target), 100 * float(objectives.as_target(target))
        if needed <= runs:
            ax.plot([needed], [level], "o", color=OK)
            ax.annotate(f"{target}: {needed}", (needed, level), xytext=(4, -12), fontsize=8,
                        textcoords="offset points")  # fmt: skip
            words.append(f"{target} needs {needed}")
    week, month = (100 * budget.proven(n, n) for n in (7, 30))
    title = f"7 clean runs prove {week:.1f} %, 30 prove {month:.1f} %"
    ax.set(xlabel="runs, all of them clean", ylabel="proven rate (%)", title=title, ylim=(50, 101))
    return describe(ax, f"{title}. Clean runs to prove a target: {'; '.join(words)}.")


def shares(named: Mapping[str, float | None], title: str, ax: Axes | None = None) -> Axes:
    """Draw named ratios as bars; one that is not known is left empty and says so."""
    ax = axes(ax, (8.0, 0.9 + 0.4 * max(len(named), 1)))
    values = [100 * (value or 0.0) for value in named.values()]
    bars = ax.barh(list(named), values, color=[ACCENT, WARN, OK, PLAN][: len(named)])
    ax.bar_label(bars, [percent(value) for value in named.values()], fontsize=8, padding=3)
    ax.invert_yaxis()
    ax.set(xlim=(0, 115), xlabel="good (%)", title=title)
    return describe(ax, f"{title}. {headlines.shares(named)}.")


def scores(scored: pd.DataFrame, limit: float = 3.0, ax: Axes | None = None) -> Axes:
    """Draw the score that each method gives each day (`spending.volume_scores`)."""
    ax = axes(ax)
    if scored.empty:
        return nothing(ax, "No table was read, so there is nothing to score")
    days = pd.to_datetime(scored["day"])
    styles = {"zscore-with-today": (BAD, "-"), "zscore": (WARN, "--"), "weekday": (ACCENT, ":")}
    for method, (colour, style) in styles.items():
        ax.plot(days, scored[method].abs(), style, color=colour, marker=".", label=method)
    ax.axhline(limit, color="black", linewidth=0.8, label=f"limit {limit:g}")
    highest = scored["zscore-with-today"].abs().max()
    bound = 6 / 7**0.5
    title = (
        f"With today in its week the score reached {highest:.2f}; it can never exceed {bound:.2f}"
    )
    ax.set(ylabel="size of the score (log)", yscale="log", ylim=(0.1, None), title=title)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.legend(fontsize=8, frameon=False, ncols=4, loc="upper left")
    return describe(ax, f"{title}. Limit {limit:g}.")


def tried_out(history: pd.DataFrame, left_out: int = 0, ax: Axes | None = None) -> Axes:
    """`backtest` of the usual targets and windows; the last `left_out` days choose nothing."""
    targets, windows = ("90%", "95%", "98%", "99%", "99.5%", "99.9%"), (7, 14, 28)
    return backtest(budget.backtest(history, targets, windows, left_out=left_out), ax)


def backtest(tried: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the share of days each target would have been kept, by window (`budget.backtest`)."""
    ax = axes(ax, (8.0, 2.6))
    title = headlines.backtest(tried)
    if tried["green_ratio"].notna().sum() == 0:
        return nothing(ax, title)
    grid = tried.pivot(index="window_days", columns="target", values="green_ratio")
    values = grid.to_numpy(float)
    ax.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        text = "too short" if np.isnan(value) else percent(value, digits=2)
        shade = "white" if value < 0.6 else "black"
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=shade)
    ax.set_xticks(
        range(len(grid.columns)), [percent(Decimal(str(target))) for target in grid.columns]
    )
    ax.set_yticks(range(len(grid.index)), [f"{days} days" for days in grid.index])
    ax.set(xlabel="target", ylabel="window", title=title)
    return describe(ax, f"{title}. Share of days on which each target was kept, by window.")
