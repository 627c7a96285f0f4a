"""Sentences about promises: budgets, alerts, evidence; computed, so true for any team."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from dataops_lib.finding import Finding
from dataops_lib.service_levels import budget, burn_alerts, severity
from dataops_lib.service_levels.measurements import Minutes
from dataops_lib.service_levels.objectives import SLO
from dataops_lib.service_levels.sli import DataSLI
from dataops_lib.windows import Window
from dataops_lib.wording import WORDS, day, percent, times


def promise(slo: SLO | None) -> str:
    """A promise in one sentence, with the share that it lets go wrong."""
    if slo is None:
        return "No promise with a share of good minutes or runs is given, so there is no budget."
    allowed = f"{percent(slo.error_budget)} of the {slo.period} period may be bad"
    return f"{slo.table}, tier {slo.tier or 'unknown'}: {slo.sli} {slo.objective}; {allowed}."


def budgets_used(left: float) -> str:
    """How much of a budget a share that is left stands for.

    >>> budgets_used(0.25), budgets_used(-1.5), budgets_used(math.nan)
    ('25 % of the budget is left', '2.5 budgets were used', 'the budget was not measured')
    """
    if math.isnan(left):
        return "the budget was not measured"
    if left < 0:
        return f"{1 - left:.3g} budgets were used"
    return f"{percent(round(left, 3))} of the budget is left"


def burndown(left: pd.DataFrame) -> str:
    """How a burn-down (`budget.burndown`: day, bad, remaining) ended, and when it was spent."""
    if left.empty or left["remaining"].isna().all():
        return "Nothing was measured, so no budget can be drawn"
    end = float(left["remaining"].iloc[-1])
    spent = left[left["remaining"] < 0]
    said = budgets_used(end)
    said = said[0].upper() + said[1:]
    return said if spent.empty else f"{said}; the first was spent by {day(spent['day'].iloc[0])}"


def largest_spender(left: pd.DataFrame) -> str:
    """Which day cost most of the budget, and how much of everything that was spent."""
    spent = float(left["bad"].sum()) if len(left) else 0.0
    if left.empty or left["remaining"].isna().all():
        return "Without a run history nobody can say what was spent."
    if not spent:
        return "Nothing was spent: every minute and every run of the period was good."
    worst = left.sort_values("bad", kind="stable").iloc[-1]
    days = int((left["bad"] > 0).sum())
    share = percent(round(float(worst["bad"]) / spent, 2))
    if days == 1:
        return f"All of it was spent on a single day, {day(worst['day'])}."
    return f"All of it was spent on {days} days; {day(worst['day'])} took {share}."


def budgets(left: Sequence[tuple[str, float]]) -> str:
    """How many budgets are spent, and which one most; `left` holds names and shares left."""
    known = [(name, share) for name, share in left if not math.isnan(share)]
    if not known:
        return "No budget can be computed: a promise with a share and a run history are needed"
    name, worst = min(known, key=lambda one: one[1])
    over = sum(share < 0 for _, share in known)
    return f"{over} of {len(known)} budgets are overspent; worst: {name}, {budgets_used(worst)}"


def months(table: pd.DataFrame) -> str:
    """How far the longest and the shortest month's budgets (`spending.months`) lie apart."""
    ordered = table.sort_values("budget_minutes", kind="stable")
    low, high = ordered.iloc[0], ordered.iloc[-1]
    more = float(high["budget_minutes"] / low["budget_minutes"]) - 1
    gap = f"{high['month']} allows {percent(round(more, 3))} more than {low['month']}"
    odd = table[table["hours"] % 24 != 0]
    clocks = ", ".join(f"{row['month']} has {row['hours']:.0f} hours" for _, row in odd.iterrows())
    return f"{gap}; {clocks}" if clocks else f"{gap}; no clock changes in this zone"


def trials(counted: pd.DataFrame, bad: Sequence[Window]) -> str:
    """Why minutes are no independent trials: `counted` twice, and the stretches that were bad."""
    if counted["n"].sum() == 0:
        return "Nothing was measured, so there is nothing to count."
    width = {row["counted in"]: row["high"] - row["low"] for _, row in counted.iterrows()}
    minutes = int(counted.set_index("counted in")["bad"].get("minutes", 0))
    if not bad:
        return "No minute was bad, so nothing shows yet how bad minutes cluster."
    longest = max(span.duration for span in bad) / timedelta(hours=1)
    said = f"{minutes:,} bad minutes came in "
    said += f"{len(bad)} stretches, the longest of {longest:.1f} hours"
    if len(bad) == 1:
        said = f"{minutes:,} bad minutes came in one piece of {longest:.1f} hours"
    if "runs" in width:
        said += f". Counted in runs the interval is {width['runs'] / width['minutes']:.0f} times"
        said += " as wide: that is what the history really shows"
    return f"{said}."


def one_more(left: float, costs: pd.DataFrame) -> str:
    """The longest further incident that the budget `left` (a share) would still bear."""
    if math.isnan(left):
        return "What one more incident costs is known; what is left to pay it is not."
    borne = costs[costs["left_after"] >= 0]
    if borne.empty:
        return f"Not one of these can be paid any more: {budgets_used(left)}."
    return f"The budget bears one more incident of {borne['incident'].iloc[-1]}, not a longer one."


def reach(rules: Sequence[burn_alerts.BurnRule], targets: Sequence[str], period: timedelta) -> str:
    """Which alert rules cannot fire at which of the targets."""
    said = []
    for rule in rules:
        limit = burn_alerts.factor(rule, period)
        never = [target for target in targets if budget.burn_rate(1.0, target) <= limit]
        if never:
            said.append(f"{rule.name} can never fire at {', '.join(never)}")
    return "; ".join(said) or "Every rule can fire at every one of these targets"


def fired(found: pd.DataFrame) -> str:
    """What the rules would have done on a history (`spending.fired`: rule, times, first_at)."""
    if found.empty:
        return "No rule could be tried: a freshness promise and a run history are needed."
    said = [
        f"{row['rule']} {times(row['times'])}, first on {day(row['first_at'])}"
        if row["times"]
        else f"{row['rule']} never"
        for row in found.to_dict("records")
    ]
    return f"On this history would have fired: {'; '.join(said)}."


def outlook(target: str, seen: budget.Outlook) -> str:
    """How often a promise would hold, by both ways of counting."""
    runs, minutes = (percent(round(value, 2)) for value in (seen.runs_met_exact, seen.minutes_met))
    return f"{target} would hold in {runs} of months by runs, in {minutes} by minutes"


def averages(found: Mapping[str, float]) -> str:
    """How far the ways of averaging lie apart (`spending.averages`)."""
    low, high = min(found.values()), max(found.values())
    times = f"{high / low:.0f} times as many" if low else "some"
    return f"One way of averaging finds {times} errors as another"


def published(found: pd.DataFrame) -> str:
    """The printed number that is furthest from the right one (`policy.published`)."""
    off = (found["printed"] / found["right"]).map(math.log).abs()
    worst = found.iloc[int(off.to_numpy().argmax())]
    said = f"{len(found)} printed numbers; the furthest off: {worst['where']}, {worst['what']}, "
    return said + f"{worst['printed']:,.4g} for {worst['right']:,.4g}"


def promises(slos: Sequence[SLO] | None) -> pd.DataFrame:
    """An SLO file as it was read: one row for each SLI of each table."""
    rows = [
        {
            "table": one.table,
            "tier": one.tier,
            "SLI": one.sli,
            "SLO": str(one.objective),
            "SLA": str(one.sla or "none"),
            "safety margin": _margin(one),
            "severity": one.severity,
        }
        for one in slos or ()
    ]
    columns = ["table", "tier", "SLI", "SLO", "SLA", "safety margin", "severity"]
    return pd.DataFrame(rows, columns=columns)


def _margin(one: SLO) -> str:
    margin = one.safety_margin
    if margin is None:
        return "none"
    if isinstance(margin, timedelta):
        return f"{margin / timedelta(hours=1):g} hours"
    return percent(margin) if one.objective.kind == "ratio" else f"{margin:f}"


def states(findings: Sequence[Finding]) -> str:
    """How many promises were kept, missed, breached or unknown, and which are breached."""
    if not findings:
        return "No table is given, so nothing is promised and nothing is measured."
    counts = {status: [f for f in findings if f.status == status] for status in WORDS}
    said = [f"{len(found)} {WORDS[status]}" for status, found in counts.items() if found]
    breached = ", ".join(finding.subject for finding in counts["fail"])
    return f"{'; '.join(said)}." + (f" Breached: {breached}." if breached else "")


def slis(
    asked: Sequence[DataSLI], table: str | None, as_of: datetime, observed: Any
) -> pd.DataFrame:
    """Each SLI of a table as it is described, and what it measures at `as_of`."""
    rows = []
    for one in asked:
        value = one.measure(table, as_of=as_of, connection=observed) if table else None
        shown = "unknown"
        if isinstance(value, float):
            shown = f"{value:.1f} {one.unit}"
        elif value is not None and value.ratio is not None:
            shown = f"{percent(value.ratio)} of {value.total:,.0f}"
        rows.append((one.name, one.description, one.unit, one.owner, shown))
    return pd.DataFrame(rows, columns=["name", "description", "unit", "owner", "measured"])


def tiers(
    team: Any,
    rules: severity.Severities,
    uses: Mapping[str, Sequence[str]],
    money_per_day: Mapping[str, float],
) -> pd.DataFrame:
    """Each table's tier as written, the one that its readers, uses and money speak for, and why.

    What hangs on a table hangs on those it is built from. Words in a consumer's name are uses too.
    """
    rows = []
    for one in team.tables:
        reach = {one.name, *team.downstream(one.name)}
        readers = [reader.name for reader in team.consumers if reader.table in reach]
        known = {word for name in readers for word in name.lower().split()}
        known |= {use for name in reach for use in uses.get(name, ())}
        money = sum(money_per_day.get(name, 0) for name in reach)
        found = severity.propose_tier(known, len(readers), money, rules)
        rows.append((one.name, one.tier, len(readers), found.tier, "; ".join(found.reasons)))
    columns = ["table", "tier as written", "readers", "tier proposed", "because"]
    return pd.DataFrame(rows, columns=columns)


def ages(found: Mapping[str, Minutes]) -> str:
    """Landing age and content age (`Observed.ages`): kept how often, and how that is known."""
    if not found:
        return "No published table can be read, so neither age is known"
    said = [
        f"{name} kept in {percent(one.good / one.total if one.total else None)} of minutes "
        f"({one.observations} publishes, by {one.source})"
        for name, one in found.items()
    ]
    return "; ".join(said)


def literal(bad: Sequence[tuple[str, float]]) -> str:
    """How many hours of a day each reading of a limit calls stale; `bad` holds hours a day."""
    return "; ".join(f"{name}: stale {hours:.1f} hours a day" for name, hours in bad)


def pair(slo_red: Sequence[bool], sla_red: Sequence[bool]) -> str:
    """Whether the SLO warned before the SLA broke, day by day."""
    first = [next((n for n, red in enumerate(side) if red), None) for side in (slo_red, sla_red)]
    days = f"the SLO is red on {sum(slo_red)} days, the SLA on {sum(sla_red)}"
    if first[1] is None:
        return f"The SLA holds; {days}"
    if first[0] is None or first[0] >= first[1]:
        return f"No warning: both break on the same day; {days}"
    return f"The SLO warned {first[1] - first[0]} days before the SLA broke; {days}"


def shares(named: Mapping[str, float | None]) -> str:
    """Named ratios in one line."""
    return "; ".join(f"{name}: {percent(value)}" for name, value in named.items())


def scores(scored: pd.DataFrame, method: str, limit: float) -> str:
    """What one method says about the last day of `spending.volume_scores`."""
    if scored.empty:
        return f"{method}: no table was read, so there is nothing to score"
    last = scored.iloc[-1]
    if last[f"{method} verdict"] == "fail" and math.isnan(last[method]):
        return f"{method}: alarm, because no row at all is a rule and needs no score"
    if math.isnan(last[method]):
        return f"{method}: unknown, the days before are too few or all alike"
    said = "alarm" if last[f"{method} verdict"] == "fail" else "no alarm"
    return f"{method}: {said}, score {last[method]:.2f} against a limit of {limit:g}"


def measurable(targets: Sequence[str], runs: Sequence[int]) -> pd.DataFrame:
    """For each target: failures allowed in n runs, runs to allow one, runs to prove it."""
    rows = [
        {
            "target": target,
            **{f"may fail of {n}": budget.allowed_failures(n, target) for n in runs},
            "runs to allow one failure": budget.runs_to_allow(target),
            "clean runs to prove it (95 %)": budget.runs_to_prove(target),
        }
        for target in targets
    ]
    return pd.DataFrame(rows)


def backtest(tried: pd.DataFrame) -> str:
    """The strictest target that every window of the history would have kept."""
    known = tried[tried["green_ratio"].notna()]
    if known.empty:
        return "No history is long enough for any of these windows"
    kept = known[known["green_ratio"] == 1].sort_values(["target", "window_days"])
    days = int(known["history_days"].iloc[0])
    if kept.empty:
        return f"None of these targets would have held on all of {days} days of history"
    best = kept.iloc[-1]
    held = f"{percent(best['target'])} over {best['window_days']} days"
    return f"The strictest promise that always held is {held}, on {days} days of history"
