"""Sentences that say what was found; true for every team because they are computed."""

from __future__ import annotations

import pandas as pd

from dataops_lib.evidence.levels import SLIS
from dataops_lib.finding import Finding, worst_first
from dataops_lib.onboarding.first_month import DAYS as FIRST_MONTH
from dataops_lib.onboarding.first_month import MEDIUM, WEEKENDS
from dataops_lib.report.diagnosis import Diagnosis
from dataops_lib.teams.models import Picture
from dataops_lib.wording import WORDS, day, percent


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
        return "No promise has an error budget."
    worst = diagnosis.budgets[0]
    return f"{worst.subject}: {worst.evidence}."


def budgets(diagnosis: Diagnosis) -> str:
    """How many error budgets are spent, left, and cannot be judged."""
    found = diagnosis.budgets
    if not found:
        return "No promise has an error budget."
    unknown = sum(one.status == "unknown" for one in found)
    spent = sum(one.status == "fail" for one in found)
    judged = f"{spent} of {len(found) - unknown} error budgets are spent"
    return f"{judged}; {unknown} cannot be judged." if unknown else f"{judged}."


def without_budget(diagnosis: Diagnosis) -> str:
    """Which promises have no budget, and why; empty when all have one."""
    named = [
        f"{seen.table.name} {SLIS[name][0]}"
        for seen in diagnosis.tables
        for name, promise in seen.promises.items()
        if name in SLIS and promise.target is None
    ]
    if not named:
        return ""
    return f"No budget, because the promise names no share of the time: {', '.join(named)}."


def budget_evidence(finding: Finding) -> str:
    """What the counts behind a budget prove: an interval, or how many runs would be needed."""
    numbers = finding.numbers
    needed, interval = numbers["runs_needed"], numbers["interval_ratio"]
    said = []
    if interval:
        low, high = (percent(round(end, 3)) for end in interval)
        said.append(f"95 % interval {low} to {high}")
    if needed and interval and numbers["total"] < needed:
        said.append(f"needs {needed} runs to allow one failure")
    return "; ".join(said)


def amount(size: float, unit: str) -> str:
    """Minutes or runs of a budget, as people read them.

    Examples
    --------
    >>> amount(-1207.6, "minutes"), amount(1.5, "runs"), amount(0.035, "runs")
    ('-1,208 min', '1.5 runs', '0.035 runs')
    """
    if unit == "minutes":
        return f"{size:,.0f} min"
    return f"{size:,.3g} {unit.removesuffix('s') if size == 1 else unit}"


TASK_WORDS = {"done": "done", "open": "open", "overdue": "overdue", "unseen": "cannot be seen"}


def onboarding(diagnosis: Diagnosis) -> str:
    """How many tasks of newcomers are done; of nobody in particular."""
    states = [one.numbers["state"] for one in diagnosis.onboarding if "task" in one.numbers]
    counts = {word: states.count(state) for state, word in TASK_WORDS.items()}
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"Of {len(states)} tasks of new colleagues: {said}."


def first_month() -> str:
    """How the month is counted, and what the words in it mean."""
    return (
        f"{FIRST_MONTH} days are the article's claim, without a source: a plan, no judgement of a "
        f"person. {WEEKENDS} Medium is our definition: {MEDIUM.text}."
    )


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
