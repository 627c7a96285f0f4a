"""Explain: sentences that say what was found; true for every team because they are computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib.diagnosis import SLIS, Diagnosis
from dataops_lib.finding import Finding, worst_first
from dataops_lib.incident import Incident
from dataops_lib.models import Picture
from dataops_lib.objective import percent
from dataops_lib.onboarding import DAYS as FIRST_MONTH
from dataops_lib.onboarding import MEDIUM, WEEKENDS

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


# -- notebook 04: what became of runs


def practised_on(asked: str, used: str, table: str, days: Sequence[date], rows: int) -> str:
    """Whose table the acts use, how much was copied, and which days are still to come."""
    other = "" if asked == used else f"Team {asked} publishes no table that the acts could use. "
    kept = f"{len(days)} days, {day(days[0])} to {day(days[-1])}" if days else "no day"
    return (
        f"{other}The acts use table {table} of team {used}: {rows:,} rows are published in the "
        f"scratch warehouse, {kept}, are still to come."
    )


def real_event(asked: str, used: str, picture: Picture) -> str:
    """Which real event the act on true anomalies is about, and whose data holds it."""
    other = "" if asked == used else f"Team {asked} names no real event. "
    told = ", ".join(f"{event.text} of {day(event.day)}" for event in picture.events)
    return f"{other}The data of team {used} holds something that really happened: {told}."


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


def cleaned(deleted: int, left: int, snapshot: str, rows: int) -> str:
    """What a clean-up removed, and that readers did not notice."""
    return (
        f"{deleted} files deleted, {left} left that nothing reaches. Readers are still at "
        f"{snapshot}: {rows:,} rows."
    )


def kept_from(published: bool, readers: Sequence[str]) -> str:
    """Who would have waited for rows that an audit kept back."""
    if published:
        return "Nothing was kept from anybody: this day lies in its band."
    return f"Without these rows: {', '.join(readers) or 'readers that team.yaml does not name'}."


# -- notebook 05: incidents


def span(length: timedelta) -> str:
    """A length of time in hours and minutes: 26 h 31 min."""
    hours, minutes = divmod(int(length.total_seconds()) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def escalation(repaired: timedelta, limit: timedelta) -> str:
    """Whether an incident should have been escalated before it was repaired."""
    if repaired <= limit:
        return f"Repaired after {span(repaired)}, within the {span(limit)} before escalation."
    return (
        f"Repaired after {span(repaired)}. Escalation was due after {span(limit)}, and no row of "
        "the timeline says that anybody escalated."
    )


def incident(one: Incident) -> str:
    """How long readers waited, and who found it when."""
    waited = span((one.resolved_at or one.until) - one.due_at)
    end = "" if one.resolved_at else " and wait still"
    if one.detected_at is None:
        return f"Readers waited {waited}{end}; nobody has noticed"
    late = max(one.detected_at - one.started_at, timedelta(0))
    who = {"audit": "the audit", "alert": "an alert", "consumer": "a consumer"}[
        str(one.detected_by)
    ]
    return f"Readers waited {waited}{end}; found by {who} after {span(late)}"


def chosen(asked: str, used: str, one: Incident, zone: str) -> str:
    """Whose incident is written about, and which."""
    other = "" if asked == used else f"Team {asked} has no incident on record. "
    when = one.due_at.astimezone(ZoneInfo(zone))
    tables = ", ".join(one.tables)
    planted = f" Planted for practice: {one.planted}." if one.planted else ""
    return (
        f"{other}Incident of team {used}, due {day(when)} at {when:%H:%M}: {tables}. "
        f"{incident(one)}.{planted}"
    )


def to_write(places: Mapping[str, int]) -> str:
    """How much of a draft waits for people, by section."""
    said = ", ".join(f"{count} in {section}" for section, count in places.items())
    return f"{sum(places.values())} places wait for people: {said}." if places else "Nothing waits."


def came_before(earlier: Sequence[Incident]) -> str:
    """Whether the same check has stopped this before."""
    if not earlier:
        return "No earlier incident was stopped by the same check."
    days = ", ".join(day(one.due_at) for one in earlier)
    return f"Stopped by the same check before: {len(earlier)} ({days}). Read that review first."


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
