"""What a lead has to decide: error budgets first, at most three things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

from dataops_lib.evidence.levels import SLIS, TableLevels
from dataops_lib.finding import Finding
from dataops_lib.incidents.incident import Incident
from dataops_lib.service_levels import budget, budget_policy
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.service_levels.objectives import SLO
from dataops_lib.teams.models import Person

AT_MOST = 3

# Completeness is a state of the whole table, not something that happens in a period.
UNITS = {name: unit for name, (_, unit) in SLIS.items() if unit in ("minutes", "runs")}
MINUTES = "stale minutes come in spells and are no independent trials"
TIME_TO_DECIDE = timedelta(days=7)  # ours: before the next weekly planning


def budgets(tables: Sequence[TableLevels], rules: budget_policy.Policy) -> tuple[Finding, ...]:
    """What is left of each error budget, worst first, with what the policy says about it.

    A budget is counted in the promise's own unit over its own window: minutes of freshness, or
    expected runs. Too few runs to allow one failure, and a promise without any measurement, are
    unknown and come last. A promise without a share of good has no budget and is left out.
    """
    found = [
        _budget(seen, name, promise, rules)
        for seen in tables
        for name, promise in seen.promises.items()
        if name in UNITS and promise.target is not None
    ]
    return tuple(sorted(found, key=_least_left))


def _least_left(one: Finding) -> tuple[int, float]:
    rank = {"not measurable": 1, "unknown": 2}.get(one.numbers["verdict"], 0)
    left = one.numbers["remaining_ratio"]
    return rank, 0.0 if left is None else left


def _budget(seen: TableLevels, name: str, promise: SLO, rules: budget_policy.Policy) -> Finding:
    title, unit = SLIS[name]
    subject = f"{seen.table.name} {title} budget"
    measured = seen.readings[name].against_slo if name in seen.readings else Measurement(0, 0)
    good, total = measured.good, measured.total
    judged = budget.verdict(good, total, promise, unknown=measured.unknown, subject=subject)
    verdict, left = judged.numbers["verdict"], judged.numbers["remaining_ratio"]
    allowed, spent = float(promise.error_budget) * total, total - good
    amounts = ("good", "total", f"allowed_{unit}", f"spent_{unit}", f"left_{unit}")
    numbers = (
        dict.fromkeys(amounts)
        | _facts(seen, promise)
        | {
            "unit": unit,
            "unknown": measured.unknown,
            "remaining_ratio": left,
            "verdict": verdict,
            "runs_needed": budget.runs_to_allow(promise) if unit == "runs" else None,
            "interval_ratio": list(budget.interval(good, total))
            if unit == "runs" and total
            else None,
            "interval_why": "" if unit == "runs" else MINUTES,
            "state": None,
        }
    )
    if left is None:
        return Finding(subject, "unknown", "not measured", "Give the run history", numbers)
    numbers |= {"good": good, "total": total}
    numbers |= {f"allowed_{unit}": allowed, f"spent_{unit}": spent, f"left_{unit}": allowed - spent}
    in_period = f"{_amount(spent, allowed, unit)} spent in {_span(promise)}"
    if judged.status == "unknown":
        need = f", needs {numbers['runs_needed']} runs" if verdict == "not measurable" else ""
        return Finding(
            subject, "unknown", f"{verdict}{need}: {in_period}", judged.next_step, numbers
        )
    asked = budget_policy.decide(left, rules, subject)
    state = f"{left:.0%} left" if left >= 0 else f"overspent by {-left:.0%}"
    numbers["state"] = asked.numbers["state"]
    return Finding(subject, asked.status, f"{state}, {in_period}", asked.next_step, numbers)


def _facts(seen: TableLevels, promise: SLO) -> dict[str, Any]:
    """What was promised, of which table, over which window."""
    return {
        "table": seen.table.name,
        "tier": seen.table.tier,
        "sli": promise.sli,
        "objective": str(replace(promise.objective, period=None)),
        "target_ratio": float(1 - promise.error_budget),
        "window": str(promise.period),
    }


def _amount(spent: float, allowed: float, unit: str) -> str:
    """The article counts budgets in hours; runs stay runs."""
    if unit == "minutes":
        return f"{spent / 60:.1f} of {allowed / 60:.1f} hours"
    return f"{spent:g} of {allowed:.3g} runs"


def _span(promise: SLO) -> str:
    period = promise.period
    return f"{period.days} days" if period.days else f"this {period}"


def decide(
    left: Sequence[Finding],
    incidents: Sequence[Incident],
    people: Sequence[Person],
    as_of: date,
) -> tuple[Decision, ...]:
    """The decisions that this month's numbers ask for, most urgent first, at most three."""
    by, lead = as_of + TIME_TO_DECIDE, _lead(people)
    found = [*_spent(left, lead, by), *_repeated(incidents, lead, by), *_told(incidents, lead, by)]
    return tuple(found[:AT_MOST])


def _lead(people: Iterable[Person]) -> str:
    """Whoever decides, as a role: reports are forwarded, names need not be."""
    roles = [person.role for person in people]
    return next((role for role in roles if "lead" in role.lower()), "the team")


def _spent(left: Sequence[Finding], lead: str, by: date) -> Iterable[Decision]:
    spent = [one for one in left if one.status == "fail"]
    if spent:
        tables = ", ".join(dict.fromkeys(str(one.numbers["table"]) for one in spent))
        why = f"{spent[0].subject}: {spent[0].evidence}"
        more = f" (and {len(spent) - 1} more)" if len(spent) > 1 else ""
        start = "Part 3, Pipeline Reliability: ensure idempotency, set up alerts, write one runbook"
        yield Decision(f"Stop feature work on {tables}", why + more, lead, by, start)


def _repeated(incidents: Sequence[Incident], lead: str, by: date) -> Iterable[Decision]:
    """The same check blocked in several incidents: agree with the source instead of repairing."""
    seen = Counter(
        check for one in incidents for check in {finding.subject for finding in one.findings}
    )
    check, times = next(iter(seen.most_common(1)), ("", 0))
    if times >= 2:
        why = f"{check} failed in {times} of {len(incidents)} incidents"
        start = "Part 4, Data Quality & Governance: write one data contract"
        yield Decision("Agree on deliveries with the source team", why, lead, by, start)


def _told(incidents: Sequence[Incident], lead: str, by: date) -> Iterable[Decision]:
    told = sum(one.detected_by == "consumer" for one in incidents)
    if told:
        why = f"consumers noticed {told} of {len(incidents)} incidents before any alert"
        start = "Part 3, Pipeline Reliability: set up alerts"
        yield Decision("Alert before consumers read", why, lead, by, start)


@dataclass(frozen=True)
class Decision:
    """What to decide, the number that asks for it, who decides by when, and where to start."""

    what: str
    why: str
    who: str
    by: date
    start: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"by": self.by.isoformat()}
