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
from dataops_lib.wording import WORDS, day, number, part, percent, plural, span, times

MINUTE = timedelta(minutes=1)


def promise(slo: SLO | None) -> str:
    """A promise in one sentence, with the share that it lets go wrong."""
    if slo is None:
        return "No promise with a share of good minutes or runs is given, so there is no budget."
    allowed = f"{percent(slo.error_budget)} of the {slo.period} period may be bad"
    tier = f", tier {slo.tier}" if slo.tier else ""
    return f"{slo.table}{tier}: {slo.sli} {slo.objective}; {allowed}."


def budgets_used(left: float) -> str:
    """How much of a budget a share that is left stands for.

    >>> budgets_used(0.25), budgets_used(-1.5), budgets_used(-0.0039), budgets_used(math.nan)
    ('25 % of the budget is left', '2.5 budgets were used', '1.004 budgets were used', \
'the budget was not measured')
    """
    if math.isnan(left):
        return "the budget was not measured"
    if left < 0:
        return f"{number(1 - left, apart=1)} budgets were used"
    return f"{percent(left, digits=3)} of the budget is left"


def burndown(left: pd.DataFrame) -> str:
    """How a burn-down (`budget.burndown`: day, bad, remaining) ended, and when it was spent."""
    if left.empty or left["remaining"].isna().all():
        return "Nothing was measured, so no budget can be drawn"
    spent = left[left["remaining"] < 0]
    sentence = budgets_used(float(left["remaining"].iloc[-1]))
    sentence = sentence[0].upper() + sentence[1:]
    if spent.empty:
        return sentence
    return f"{sentence}; the first was spent by {day(spent['day'].iloc[0])}"


def largest_spender(left: pd.DataFrame) -> str:
    """Which day cost most of the budget, and how much of everything that was spent."""
    spent = float(left["bad"].sum()) if len(left) else 0.0
    if left.empty or left["remaining"].isna().all():
        return "Without a run history nobody can say what was spent."
    if not spent:
        return "Nothing was spent: every minute and every run of the period was good."
    worst = left.sort_values("bad", kind="stable").iloc[-1]
    days = int((left["bad"] > 0).sum())
    share = percent(float(worst["bad"]) / spent, digits=2)
    if days == 1:
        return f"All of it was spent on a single day, {day(worst['day'])}."
    return f"All of it was spent on {days} days; {day(worst['day'])} took {share}."


def budgets(left: Sequence[tuple[str, float]]) -> str:
    """How many budgets are spent, and which one most; `left` holds names and shares left."""
    known = [(name, share) for name, share in left if not math.isnan(share)]
    if not known:
        return "No budget can be computed: a promise with a share and a run history are needed"
    name, worst = min(known, key=lambda pair: pair[1])
    over = part(sum(share < 0 for _, share in known), len(known), "budgets")
    return f"{over} overspent; worst: {name}, {budgets_used(worst)}"


def months(table: pd.DataFrame) -> str:
    """How far the longest and the shortest month's budgets (`lessons.months`) lie apart."""
    ordered = table.sort_values("budget_minutes", kind="stable")
    low, high = ordered.iloc[0], ordered.iloc[-1]
    more = float(high["budget_minutes"] / low["budget_minutes"]) - 1
    gap = f"{high['month']} allows {percent(more, digits=3)} more than {low['month']}"
    odd = table[table["hours"] % 24 != 0]
    clocks = ", ".join(
        f"{row['month']} has {number(row['hours'])} hours" for _, row in odd.iterrows()
    )
    return f"{gap}; {clocks}" if clocks else f"{gap}; no clock changes in this zone"


def trials(counted: pd.DataFrame, bad: Sequence[Window]) -> str:
    """Why minutes are no independent trials: `counted` twice, and the stretches that were bad."""
    if "minutes" not in set(counted["counted in"]):
        return "No minute was measured, so there is nothing to count."
    width = {row["counted in"]: row["high"] - row["low"] for _, row in counted.iterrows()}
    if not bad:
        return "No minute was bad, so nothing shows yet how bad minutes cluster."
    minutes = plural(sum((spell.duration for spell in bad), timedelta(0)) / MINUTE, "bad minute")
    longest = span(max(spell.duration for spell in bad))
    sentence = f"{minutes} came in {len(bad)} stretches, the longest of {longest}"
    if len(bad) == 1:
        sentence = f"{minutes} came in one piece of {longest}"
    if "runs" in width:
        wider = number(width["runs"] / width["minutes"], digits=2)
        sentence += f". Counted in runs the interval is {wider} times as wide: that is what the "
        sentence += "history really shows"
    return f"{sentence}."


def reach(rules: Sequence[burn_alerts.BurnRule], targets: Sequence[str], period: timedelta) -> str:
    """Which alert rules cannot fire at which of the targets."""
    silent = []
    for rule in rules:
        limit = burn_alerts.factor(rule, period)
        never = [target for target in targets if budget.burn_rate(1.0, target) <= limit]
        if never:
            silent.append(f"{rule.name} can never fire at {', '.join(never)}")
    return "; ".join(silent) or "Every rule can fire at every one of these targets"


def fired(alerts: pd.DataFrame) -> str:
    """What the rules would have done on a history (`accounts.fired`: rule, times, first_at)."""
    if alerts.empty:
        return "No rule could be tried: a freshness promise and a run history are needed."
    rules = [
        f"{row['rule']} {times(row['times'])}, first on {day(row['first_at'])}"
        if row["times"]
        else f"{row['rule']} never"
        for row in alerts.to_dict("records")
    ]
    return f"On this history would have fired: {'; '.join(rules)}."


def outlook(target: str, chances: budget.Outlook) -> str:
    """How often a promise would hold, by both ways of counting."""
    runs = percent(chances.runs_met_exact, digits=2)
    minutes = percent(chances.minutes_met, digits=2)
    period = plural(chances.period_days, "day")
    return f"{target} would hold in {runs} of periods of {period} by runs, in {minutes} by minutes"


def averages(ratios: Mapping[str, float]) -> str:
    """How far the ways of averaging lie apart (`lessons.averages`)."""
    low, high = min(ratios.values()), max(ratios.values())
    apart = f"{number(high / low, digits=2)} times as many" if low else "some"
    return f"One way of averaging finds {apart} errors as another"


def published(printed: pd.DataFrame) -> str:
    """The printed number that is furthest from the right one (`lessons.published`)."""
    off = (printed["printed"] / printed["right"]).map(math.log).abs()
    worst = printed.iloc[int(off.to_numpy().argmax())]
    wrong = f"{number(worst['printed'], 4)} for {number(worst['right'], 4)}"
    furthest = f"{worst['where']}, {worst['what']}, {wrong}"
    return f"{len(printed)} printed numbers; the furthest off: {furthest}"


def promises(slos: Sequence[SLO] | None) -> pd.DataFrame:
    """An SLO file as it was read: one row for each SLI of each table."""
    rows = [
        {
            "table": slo.table,
            "tier": slo.tier or "not written",
            "SLI": slo.sli,
            "SLO": str(slo.objective),
            "SLA": str(slo.sla or "none"),
            "safety margin": _margin(slo),
            "severity": slo.severity or "none",
        }
        for slo in slos or ()
    ]
    columns = ["table", "tier", "SLI", "SLO", "SLA", "safety margin", "severity"]
    return pd.DataFrame(rows, columns=columns)


def _margin(slo: SLO) -> str:
    margin = slo.safety_margin
    if margin is None:
        return "none"
    if isinstance(margin, timedelta):
        return plural(margin / timedelta(hours=1), "hour")
    return percent(margin) if slo.objective.kind == "ratio" else f"{margin:f}"


def states(findings: Sequence[Finding]) -> str:
    """How many promises were kept, missed, breached or unknown, and which are breached."""
    if not findings:
        return "No table is given, so nothing is promised and nothing is measured."
    counts = {status: [f for f in findings if f.status == status] for status in WORDS}
    words = [f"{len(group)} {WORDS[status]}" for status, group in counts.items() if group]
    breached = ", ".join(finding.subject for finding in counts["fail"])
    return f"{'; '.join(words)}." + (f" Breached: {breached}." if breached else "")


def slis(
    described: Sequence[DataSLI], table: str | None, as_of: datetime, observed: Any
) -> pd.DataFrame:
    """Each SLI of a table as it is described, and what it measures at `as_of`."""
    rows = []
    for sli in described:
        value = sli.measure(table, as_of=as_of, connection=observed) if table else None
        shown = "unknown"
        if isinstance(value, float):
            shown = f"{value:.1f} {sli.unit}"
        elif value is not None and value.ratio is not None:
            shown = f"{percent(value.ratio)} of {number(value.total)}"
        rows.append((sli.name, sli.description, sli.unit, sli.owner, shown))
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
    for table in team.tables:
        reach = {table.name, *team.downstream(table.name)}
        readers = [reader.name for reader in team.consumers if reader.table in reach]
        words = {word for name in readers for word in name.lower().split()}
        words |= {use for name in reach for use in uses.get(name, ())}
        money = sum(money_per_day.get(name, 0) for name in reach)
        proposal = severity.propose_tier(words, len(readers), money, rules)
        because = "; ".join(proposal.reasons)
        rows.append((table.name, table.tier, len(readers), proposal.tier, because))
    columns = ["table", "tier as written", "readers", "tier proposed", "because"]
    return pd.DataFrame(rows, columns=columns)


def ages(measured: Mapping[str, Minutes]) -> str:
    """Landing age and content age (`levels.ages`): kept how often, and how that is known."""
    if not measured:
        return "No published table can be read, so neither age is known"
    parts = []
    for name, minutes in measured.items():
        kept = percent(minutes.good / minutes.total if minutes.total else None)
        publishes = plural(minutes.observations, "publish", "publishes")
        parts.append(f"{name} kept in {kept} of minutes ({publishes}, by {minutes.source})")
    return "; ".join(parts)


def pair(slo_red: Sequence[bool], sla_red: Sequence[bool]) -> str:
    """Whether the SLO warned before the SLA broke, day by day."""
    first = [next((n for n, red in enumerate(side) if red), None) for side in (slo_red, sla_red)]
    days = f"the SLO is red on {plural(sum(slo_red), 'day')}, the SLA on {sum(sla_red)}"
    if first[1] is None:
        return f"The SLA holds; {days}"
    if first[0] is None or first[0] >= first[1]:
        return f"No warning: both break on the same day; {days}"
    return f"The SLO warned {plural(first[1] - first[0], 'day')} before the SLA broke; {days}"


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
    word = "alarm" if last[f"{method} verdict"] == "fail" else "no alarm"
    return f"{method}: {word}, score {last[method]:.2f} against a limit of {limit:g}"


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
    """The strictest target that held on the days it was chosen on, and whether it went on to."""
    known = tried[tried["green_ratio"].notna()]
    if known.empty:
        return "No history is long enough for any of these windows"
    kept = known[known["green_ratio"] == 1].sort_values(["target", "window_days"])
    days = plural(int(known["history_days"].iloc[0]), "day")
    if kept.empty:
        return f"None of these targets would have held on all of {days} of history"
    best = kept.iloc[-1]
    held = f"{percent(best['target'])} over {plural(int(best['window_days']), 'day')}"
    sentence = f"The strictest promise that held on the first {days} is {held}"
    later, red = int(best["later_days"]), int(best["later_red"])
    if not later:
        return f"{sentence}; no later day shows whether it goes on to hold"
    if not red:
        return f"{sentence}; it held on the {plural(later, 'day')} after them, too"
    return f"{sentence}; on the {plural(later, 'day')} after them it was broken on {red}"
