"""Explain: sentences that say what was found; true for every team because they are computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd

from dataops_lib import budget, policy
from dataops_lib.diagnosis import Diagnosis
from dataops_lib.errors import DataOpsError
from dataops_lib.finding import Finding, worst_first
from dataops_lib.models import Picture
from dataops_lib.objective import SLO, percent
from dataops_lib.windows import Window

WORDS = {"ok": "kept", "warn": "SLO missed", "fail": "SLA breached", "unknown": "unknown"}


def day(when: date) -> str:
    """A date as people write it: 9 February 2013."""
    return f"{when.day} {when:%B %Y}"


def page_one(diagnosis: Diagnosis) -> str:
    """The sentence on top of a report: level, what consumers felt, the worst risk, the next step.

    Trust figures stand before all others; there is no figure of velocity in it.
    """
    fresh, passed = diagnosis.tile("freshness").measured, diagnosis.tile("publishes").measured
    parts = [maturity_level(diagnosis.maturity)] if diagnosis.maturity else []
    if fresh and fresh.ratio is not None:
        parts.append(f"tier-1 tables fresh on {fresh.good:.0f} of {fresh.total:.0f} table-days")
    if passed and passed.ratio is not None:
        stopped = passed.total - passed.good
        times = "once" if stopped == 1 else f"{stopped:.0f} times"
        parts.append(
            f"bad data stopped {times} before a reader saw it"
            if stopped
            else "no publish had to be stopped"
        )
    if not parts:
        return "Nothing could be measured yet: no run history and no answers are given."
    if diagnosis.findings:
        parts.append(risk(diagnosis.findings))
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."


def maturity_level(finding: Finding) -> str:
    """The level in a few words: level 1 of 4 (median 1.6)."""
    return finding.evidence if finding.status != "unknown" else "level unknown"


def budget_left(diagnosis: Diagnosis) -> str:
    """The budget that is worst off, or that there is none."""
    if not diagnosis.budgets:
        return "No table has a freshness budget that could be measured."
    worst = diagnosis.budgets[0]
    return f"{worst.subject}: {worst.evidence}."


def last_incident(diagnosis: Diagnosis) -> str:
    """The latest incident of the period in one sentence."""
    if not diagnosis.incidents:
        return "No incident in this period, as far as the run history tells."
    one = diagnosis.incidents[-1]
    since = f"{one.due_at:%d %B, %H:%M} UTC"
    until = f"until {one.resolved_at:%d %B, %H:%M} UTC" if one.resolved_at else "not resolved yet"
    who = {"audit": "stopped by the audit", "alert": "found by an alert"}
    found = who.get(str(one.detected_by), f"found by a {one.detected_by}")
    planted = f" (planted fault: {one.planted})" if one.planted else ""
    severity = one.severity or "no promise broken"
    count = len(one.tables)
    return f"{since}, {until}: {severity}, {one.kind}, {found}, {count} tables{planted}."


def risk(findings: tuple[Finding, ...]) -> str:
    """The worst finding in a few words, or that there is none."""
    judged = [finding for finding in worst_first(findings) if finding.status != "unknown"]
    if not judged:
        return "no promise could be judged"
    worst = judged[0]
    if not worst.is_bad:
        return f"all {len(judged)} promises that could be judged were kept"
    same = sum(finding.status == worst.status for finding in judged)
    others = f" and {same - 1} more" if same > 1 else ""
    return f"{WORDS[worst.status]}: {worst.subject}{others}"


def daily(series: pd.DataFrame, picture: Picture) -> str:
    """What the daily picture shows: the day that fell furthest behind its plan."""
    unit = picture.unit
    if series.empty:
        return f"No {unit} yet"
    if picture.planned is None:
        lowest = series.iloc[int(series[picture.actual].argmin())]
        fewest = f"{lowest[picture.actual]:,.0f} {unit}"
        return f"{fewest} on {day(lowest['day'])}, the lowest day"
    share = series[picture.actual] / series[picture.planned]
    lowest = series.iloc[int(share.argmin())]
    why = next(
        (
            f" ({e.text})"
            for e in picture.events
            if e.day <= lowest["day"].date() <= (e.until or e.day)
        ),
        "",
    )
    return (
        f"{lowest[picture.actual]:,.0f} of {lowest[picture.planned]:,.0f} {unit} "
        f"on {day(lowest['day'])}, the lowest share{why}"
    )


def tables(diagnosis: Diagnosis) -> str:
    """How many promises were kept, missed, breached, and could not be judged."""
    counts = dict.fromkeys(WORDS, 0)
    for finding in diagnosis.findings:
        counts[finding.status] += 1
    said = [f"{count} {WORDS[status]}" for status, count in counts.items() if count]
    return f"Of {len(diagnosis.findings)} service levels: {', '.join(said)}."


# Error budgets (notebook 03) --------------------------------------------------------------------


def outcome(function: Callable[..., Any], *values: Any) -> str:
    """What a call gives, or how it is refused, in one line and without a traceback.

    >>> outcome(budget.calculate_error_budget, 100)[:40]
    'refused: slo_percent is 100, but a targe'
    """
    try:
        return str(function(*values))
    except (DataOpsError, TypeError, ValueError) as error:
        return f"refused: {error}"


def times(count: int) -> str:
    """How often: never, once, 3 times."""
    return {0: "never", 1: "once"}.get(count, f"{count} times")


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


def reach(rules: Sequence[policy.BurnRule], targets: Sequence[str], period: timedelta) -> str:
    """Which alert rules cannot fire at which of the targets."""
    said = []
    for rule in rules:
        limit = policy.factor(rule, period)
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


# -- notebook 04: what became of runs


def practised_on(asked: str, used: str, table: str, days: Sequence[date], rows: int) -> str:
    """Whose table the acts use, how much was copied, and which days are still to come."""
    other = "" if asked == used else f"Team {asked} publishes no table that the acts could use. "
    kept = f"{len(days)} days, {day(days[0])} to {day(days[-1])}" if days else "no day"
    return (
        f"{other}The acts use table {table} of team {used}: {rows:,} rows are published in the "
        f"scratch warehouse, {kept}, are still to come."
    )


def publication(subject: str, published: bool, blocked_by: Sequence[Finding], rebased: int) -> str:
    """What became of one run, in a sentence."""
    if published:
        after = f" after following main {rebased} time{'s' * (rebased > 1)}" if rebased else ""
        return f"{subject}: published{after}."
    why = "; ".join(f"{one.subject}: {one.evidence}" for one in blocked_by)
    return f"{subject}: blocked, readers keep what they had. {why}."


def snapshots(graph: pd.DataFrame) -> str:
    """Where readers are, and what waits beside them."""
    pairs = zip(graph["snapshot"], graph["refs"], strict=True)
    refs = [(str(snapshot), str(ref)) for snapshot, found in pairs for ref in found]
    main = next((snapshot for snapshot, ref in refs if ref == "main"), None)
    kinds = [ref.split(" ")[0] for _, ref in refs]
    waiting, withdrawn = kinds.count("audit"), kinds.count("withdrawn")
    parts = [f"Readers are at {main}" if main else "Readers see nothing yet"]
    branches = "audit branch waits" if waiting == 1 else "audit branches wait"
    parts.append(f"{waiting or 'no'} {branches if waiting else 'audit branch waits'}")
    if withdrawn:
        parts.append(f"{withdrawn} publish{'es' * (withdrawn > 1)} withdrawn")
    return "; ".join(parts)


def anomaly(rows: pd.DataFrame, actual: pd.DataFrame, picture: Picture) -> str:
    """How many days a volume check would stop, by rows and by what happened."""
    by_rows, by_actual = (int((frame["verdict"] == "fail").sum()) for frame in (rows, actual))
    judged = int((actual["verdict"] != "unknown").sum())
    if not judged:
        return f"Too few days to judge {picture.actual} by their weekday"
    return (
        f"Counting rows stops {by_rows} of {judged} judged days, "
        f"counting {picture.actual} stops {by_actual}"
    )


def killed(exit_code: int, snapshot: str, rows: int) -> str:
    """What readers noticed of a process that died."""
    how = "was killed" if exit_code else "ended without being killed"
    return f"The process {how} (exit code {exit_code}). Readers are at {snapshot}: {rows:,} rows."


def rolled_back(withdrawn: Sequence[str], snapshot: str, rows: int) -> str:
    """What a rollback did."""
    return (
        f"Withdrawn: {', '.join(withdrawn) or 'nothing'}. Readers are at {snapshot}: {rows:,} rows."
    )


def kept_from(published: bool, readers: Sequence[str]) -> str:
    """Who would have waited for rows that an audit kept back."""
    if published:
        return "Nothing was kept from anybody: this day lies in its band."
    return f"Without these rows: {', '.join(readers) or 'readers that team.yaml does not name'}."


# -- notebook 00: the first look


def runs(counts: Mapping[str, Mapping[str, int]]) -> str:
    """How many runs published, and how many an audit stopped."""
    total = sum(sum(found.values()) for found in counts.values())
    if not total:
        return "No run history is given"
    published, blocked = (
        sum(found.get(status, 0) for found in counts.values())
        for status in ("published", "blocked")
    )
    return f"{published:,} of {total:,} runs published, the audit blocked {blocked:,}"


def levels(counts: Mapping[str, Mapping[str, int]]) -> str:
    """How many service levels are kept, of those that could be judged."""
    total = sum(sum(found.values()) for found in counts.values())
    unknown = sum(found.get("unknown", 0) for found in counts.values())
    if total == unknown:
        return "No service level can be judged yet"
    kept = sum(found.get("ok", 0) for found in counts.values())
    return f"{kept} of {total - unknown} judged service levels kept, {unknown} unknown"


def in_place(findings: Sequence[Finding]) -> str:
    """Whether a check of the environment found everything in place."""
    bad = [finding for finding in findings if finding.is_bad]
    if not bad:
        return f"All {len(findings)} are in place."
    return f"{len(bad)} of {len(findings)} are not: {', '.join(one.subject for one in bad)}."
