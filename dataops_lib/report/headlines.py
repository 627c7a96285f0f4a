"""Sentences that say what was found; true for every team because they are computed."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from dataops_lib.finding import Finding, worst_first
from dataops_lib.incidents.incident import Incident
from dataops_lib.onboarding.first_month import DAYS as FIRST_MONTH
from dataops_lib.onboarding.first_month import MEDIUM, WEEKENDS
from dataops_lib.report.diagnosis import Diagnosis
from dataops_lib.service_levels.budget import Budget
from dataops_lib.service_levels.budget_policy import IncidentRule
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.teams.models import Picture
from dataops_lib.wording import WORDS, day, listed, number, part, percent, plural, times


def page_one(diagnosis: Diagnosis) -> str:
    """The sentence on top of a report: level, what consumers felt, the worst risk, the next step.

    Trust figures stand before all others; there is no figure of velocity in it.
    """
    fresh, success, passed = (
        _measured(diagnosis, name) for name in ("freshness", "success", "publishes")
    )
    parts = [maturity_level(diagnosis.maturity)] if diagnosis.maturity else []
    if fresh:
        parts.append(f"tier-1 tables fresh on {part(fresh.good, fresh.total, 'table-days')}")
    if passed:
        stopped = int(passed.total - passed.good)
        parts.append(
            f"bad data stopped {times(stopped)} before a reader saw it"
            if stopped
            else "no publish had to be stopped"
        )
    if success and not (fresh and passed):
        parts.append(f"{part(success.good, success.total, 'expected runs')} published first time")
    if not parts:
        return f"Nothing could be measured yet: {_nothing(diagnosis)}."
    if any(level.promise for level in diagnosis.levels):
        parts.append(risk(diagnosis))
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."


def _measured(diagnosis: Diagnosis, tile: str) -> Measurement | None:
    measured = diagnosis.tile(tile).measured
    return measured if measured is not None and measured.total else None


def _nothing(diagnosis: Diagnosis) -> str:
    """Why there is no figure at all."""
    files = [gap.subject for gap in diagnosis.unknowns if gap.subject.endswith((".csv", ".yaml"))]
    if not diagnosis.runs_known:
        return f"{listed(files)} {'is' if len(files) == 1 else 'are'} not given"
    return f"nothing was due in the {diagnosis.period}"


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
    """How many error budgets are overspent, kept, and cannot be judged."""
    budgets = diagnosis.budgets
    if not budgets:
        return "No promise has an error budget."
    unknown = sum(budget.status == "unknown" for budget in budgets)
    if unknown == len(budgets):
        return f"{plural(unknown, 'error budget')}, which cannot be judged yet."
    spent = sum(budget.status == "fail" for budget in budgets)
    overspent = f"{part(spent, len(budgets) - unknown, 'error budgets')} "
    overspent += f"{'is' if spent == 1 else 'are'} overspent"
    return f"{overspent}; {unknown} cannot be judged." if unknown else f"{overspent}."


def without_budget(diagnosis: Diagnosis) -> str:
    """Which promises have no budget, and why; empty when all have one."""
    subjects = [
        level.subject
        for level in diagnosis.levels
        if level.promise is not None and level.promise.target is None
    ]
    if not subjects:
        return ""
    return f"No budget, because the promise names no share of good: {listed(subjects)}."


def budget_evidence(budget: Budget) -> str:
    """What the counts behind a budget prove: an interval, or how many runs would be needed."""
    needed, interval, verdict = budget.runs_needed, budget.interval, budget.verdict
    few = needed is not None and verdict.measured.whole < needed
    parts = []
    if interval and few and verdict.word == "breached":  # said one-sided, as it was judged
        at_most = percent(budget.at_most, promise=verdict.target, digits=3)
        parts.append(f"the failures prove at most {at_most} with 95 % confidence, if independent")
    elif interval:
        low, high = (percent(end, digits=3) for end in interval)
        parts.append(f"95 % interval {low} to {high}, if failures are independent")
    if needed and interval and few:
        parts.append(f"needs {plural(needed, 'run')} to allow one failure")
    return "; ".join(parts)


def amount(size: float, unit: str) -> str:
    """Minutes or runs of a budget, as people read them.

    Examples
    --------
    >>> amount(-1207.6, "minutes"), amount(1.5, "runs"), amount(0.035, "runs"), amount(1, "runs")
    ('-1,208 min', '1.5 runs', '0.035 runs', '1 run')
    """
    if unit == "minutes":
        return f"{number(size)} min"
    return plural(size, unit.removesuffix("s"))


def no_decision(diagnosis: Diagnosis) -> str:
    """Why nothing has to be decided, as far as the numbers tell; no calm where nobody looked."""
    promised = [level for level in diagnosis.levels if level.promise is not None]
    unjudged = sum(level.status == "unknown" for level in promised)
    if not promised:
        return "Nothing is promised, so nothing can ask for a decision: write an SLO."
    if unjudged == len(promised):
        return "No promise could be judged, so nobody can say what has to be decided."
    missed = [level.subject for level in promised if level.status in ("warn", "fail")]
    calm = "Nothing in this month's numbers asks for a decision"
    if missed:
        calm = f"No budget is overspent and no SLA breached, though {listed(missed)} missed the SLO"
    if unjudged:
        rest = "1 promise" if unjudged == 1 else f"{unjudged} promises"
        return f"{calm}, as far as can be told: {rest} could not be judged."
    return f"{calm}."


TASK_WORDS = {"done": "done", "open": "open", "overdue": "overdue", "unseen": "cannot be seen"}


def onboarding(diagnosis: Diagnosis) -> str:
    """How many tasks of newcomers are done; of nobody in particular."""
    states = [one.numbers["state"] for one in diagnosis.onboarding if "task" in one.numbers]
    counts = {word: states.count(state) for state, word in TASK_WORDS.items()}
    parts = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"Of {plural(len(states), 'task')} of new colleagues: {parts}."


def first_month() -> str:
    """How the month is counted, and what the words in it mean."""
    return (
        f"{FIRST_MONTH} days are the article's claim, without a source: a plan, no judgement of a "
        f"person. {WEEKENDS} Medium is our definition: {MEDIUM.text}."
    )


def last_incident(diagnosis: Diagnosis) -> str:
    """The latest incident of the period in one sentence."""
    if not diagnosis.incidents:
        if not diagnosis.runs_known:
            return "Not known: no run history is given."
        return "No incident in this period, as far as the run history tells."
    incident = diagnosis.incidents[-1]
    since = f"{incident.due_at:%d %B, %H:%M} UTC"
    ended = incident.resolved_at
    until = f"until {ended:%d %B, %H:%M} UTC" if ended else "not resolved yet"
    planted = f" (planted fault: {incident.planted})" if incident.planted else ""
    severity = incident.severity or _unbroken(diagnosis, incident)
    tables = plural(len(incident.tables), "table")
    noticed = _noticed(incident, diagnosis.alerts_known)
    return f"{since}, {until}: {severity}, {incident.kind}, {noticed}, {tables}{planted}."


def _unbroken(diagnosis: Diagnosis, incident: Incident) -> str:
    """What an incident without a severity did to the promises of its tables."""
    promised = {level.table.name for level in diagnosis.levels if level.promise}
    return "no promise broken" if promised & set(incident.tables) else "nothing promised"


def _noticed(incident: Incident, alerts_known: bool) -> str:
    """Who found an incident, as far as a file says so."""
    if incident.detected_by == "audit":
        return "stopped by the audit"
    if not alerts_known:
        return "who noticed it is not on record"
    ways = {"alert": "found by an alert", "consumer": "read by a consumer before any alert"}
    return ways.get(str(incident.detected_by), "noticed by nobody so far")


def postmortem_due(diagnosis: Diagnosis, rule: IncidentRule) -> str:
    """The incident that took more of a budget than the policy allows one; empty without any."""
    costly = [one for one in diagnosis.incidents if one.id in diagnosis.costs]
    worst = max(costly, key=lambda one: diagnosis.costs[one.id][1], default=None)
    if worst is None:
        return ""
    table, taken = diagnosis.costs[worst.id]
    if taken <= float(rule.share):
        return ""
    return (
        f"The incident of {day(worst.due_at)} took {percent(taken, digits=2)} of the freshness "
        f"budget of {table}, and the policy allows one incident {percent(rule.share)}. "
        f"{rule.action}."
    )


def draft(diagnosis: Diagnosis) -> str:
    """Which incident the postmortem section drafts; empty when there was none."""
    incident = diagnosis.drafted
    return f"Postmortem draft: incident of {day(incident.due_at)}" if incident else ""


def risk(diagnosis: Diagnosis) -> str:
    """The worst promise in a few words, or that there is none."""
    promised = [level for level in diagnosis.levels if level.promise is not None]
    judged = [level for level in promised if level.status != "unknown"]
    if not judged:
        return "no promise could be judged"
    worst = worst_first(level.finding for level in judged)[0]
    if worst.is_bad:
        others = sum(level.status == worst.status for level in judged) - 1
        return f"{WORDS[worst.status]}: {worst.subject}" + (f" and {others} more" if others else "")
    kept = f"all {len(judged)} promises" if len(judged) > 1 else "the one promise"
    if len(judged) == len(promised):
        return f"{kept} {'were' if len(judged) > 1 else 'was'} kept"
    rest = len(promised) - len(judged)
    return f"{len(judged)} of {len(promised)} promises kept, {rest} could not be judged"


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
    counts = Counter(WORDS[level.status] for level in diagnosis.levels)
    words = [f"{counts[word]} {word}" for word in WORDS.values() if counts[word]]
    if not words:
        return "No table is given, so nothing is promised and nothing is measured."
    return f"Of {plural(len(diagnosis.levels), 'service level')}: {', '.join(words)}."
