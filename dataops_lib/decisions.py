"""Domain: what a data lead has to decide this month: at most three things, each with its number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from dataops_lib import budget, policy
from dataops_lib.diagnosis import Decision, Seen
from dataops_lib.finding import Finding
from dataops_lib.incident import Incident
from dataops_lib.models import Person

AT_MOST = 3
TIME_TO_DECIDE = timedelta(days=7)  # ours: before the next weekly planning


def budgets(tables: Sequence[Seen], rules: policy.Policy) -> tuple[Finding, ...]:
    """What is left of each freshness budget, worst first, with what the policy says about it.

    A table without a promised share of time has no budget; one without runs is left out.
    """
    found = []
    for seen in tables:
        reading, promise = seen.readings.get("freshness"), seen.promises.get("freshness")
        if reading is None or promise is None or promise.target is None:
            continue
        measured = reading.against_slo
        left = budget.remaining(measured.good, measured.total, promise)
        judged = policy.decide(left, rules, f"{seen.table.name} freshness budget")
        allowed = float(promise.error_budget) * measured.total
        spent = measured.total - measured.good
        state = f"{left:.0%} left" if left >= 0 else f"overspent by {-left:.0%}"
        hours = f"{spent / 60:.1f} of {allowed / 60:.1f} hours spent"
        evidence = f"{state}, {hours} in {promise.period.nominal_days} days"
        numbers = dict(judged.numbers) | {
            "remaining_ratio": left,
            "spent_minutes": spent,
            "allowed_minutes": allowed,
            "tier": seen.table.tier,
            "table": seen.table.name,
        }
        found.append(Finding(judged.subject, judged.status, evidence, judged.next_step, numbers))
    return tuple(sorted(found, key=lambda one: float(one.numbers["remaining_ratio"])))


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
    spent = [one for one in left if float(one.numbers["remaining_ratio"]) <= 0]
    if spent:
        tables = ", ".join(str(one.numbers["table"]) for one in spent)
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
