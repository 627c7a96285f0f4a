"""What a lead has to decide: error budgets and SLAs first, at most three things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from dataops_lib.evidence.verdicts import Level
from dataops_lib.incidents.incident import Incident
from dataops_lib.service_levels.budget import Budget
from dataops_lib.teams.models import Person
from dataops_lib.wording import listed, plural

AT_MOST = 3
TIME_TO_DECIDE = timedelta(days=7)  # ours: before the next weekly planning
RELIABILITY = "Part 3, Pipeline Reliability: "


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


@dataclass(frozen=True)
class Facts:
    """What decisions are made from.

    `alerts_known` says whether a file tells who was called: without one nobody knows who noticed
    first.
    """

    levels: Sequence[Level] = ()
    budgets: Sequence[Budget] = ()
    incidents: Sequence[Incident] = ()
    alerts_known: bool = True


def decide(facts: Facts, people: Sequence[Person], as_of: date) -> tuple[Decision, ...]:
    """The decisions that this month's numbers ask for, most urgent first, at most three."""
    asked = [*_spent(facts), *_breached(facts), *_repeated(facts), *_late(facts)]
    lead, by = _lead(people), as_of + TIME_TO_DECIDE
    return tuple(Decision(what, why, lead, by, start) for what, why, start in asked[:AT_MOST])


Asked = Iterable[tuple[str, str, str]]  # what to decide, why, where to start


def _lead(people: Iterable[Person]) -> str:
    """Whoever decides, as a role: reports are forwarded, names need not be."""
    roles = [person.role for person in people]
    return next((role for role in roles if "lead" in role.lower()), "the team")


def _spent(facts: Facts) -> Asked:
    spent = [budget for budget in facts.budgets if budget.status == "fail"]
    if spent:
        tables = listed(dict.fromkeys(budget.slo.table for budget in spent))
        why = f"{spent[0].subject}: {spent[0].evidence}"
        more = f" (and {len(spent) - 1} more)" if len(spent) > 1 else ""
        start = RELIABILITY + "ensure idempotency, set up alerts, write one runbook"
        yield f"Stop feature work on {tables}", why + more, start


def _breached(facts: Facts) -> Asked:
    """SLAs that broke on tables whose budgets do not stop the work already."""
    stopped = {budget.slo.table for budget in facts.budgets if budget.status == "fail"}
    breached = [
        level for level in facts.levels if level.sla_breached and level.table.name not in stopped
    ]
    if breached:
        tables = listed(dict.fromkeys(level.table.name for level in breached))
        more = f" (and {len(breached) - 1} more)" if len(breached) > 1 else ""
        why = f"{breached[0].subject}: {breached[0].finding.evidence}{more}"
        start = RELIABILITY + "set up alerts"
        yield f"Tell the consumers of {tables}, and agree what holds from now on", why, start


def _repeated(facts: Facts) -> Asked:
    """The same check blocked in several incidents: agree with the source instead of repairing."""
    failed = Counter(
        check for one in facts.incidents for check in {finding.subject for finding in one.findings}
    )
    check, times = next(iter(failed.most_common(1)), ("", 0))
    if times >= 2:
        why = f"{check} failed in {times} of {plural(len(facts.incidents), 'incident')}"
        start = "Part 4, Data Quality & Governance: write one data contract"
        yield "Agree on deliveries with the source team", why, start


def _late(facts: Facts) -> Asked:
    """Readers who met old data before anybody was told."""
    first = sum(one.detected_by == "consumer" for one in facts.incidents)
    if first:
        of = f"{first} of {plural(len(facts.incidents), 'incident')}"
        why = f"Consumers noticed {of} before any alert"
        if not facts.alerts_known:
            why = f"In {of} a consumer was due to read old data, and no alert is on record"
        yield "Alert before consumers read", why, RELIABILITY + "set up alerts"
