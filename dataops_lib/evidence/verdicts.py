"""Each service level of a team held against its promise, and what is left of each budget."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dataops_lib.evidence.levels import SLIS, TableLevels, of_tables
from dataops_lib.evidence.records import Observed
from dataops_lib.finding import Finding, Status
from dataops_lib.service_levels import budget, budget_policy
from dataops_lib.service_levels.budget import Budget, Verdict
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.service_levels.objectives import SLO
from dataops_lib.teams.models import Table
from dataops_lib.wording import WORDS, part, percent, plural

# Completeness is a state of the whole table, not something that happens in a period.
BUDGETED = tuple(name for name, (_, unit) in SLIS.items() if unit in ("minutes", "runs"))


@dataclass(frozen=True)
class Level:
    """One SLI of one table: what was measured, what was promised, and the verdicts.

    `shown` is over the report's period, `slo` and `sla` hold the counts of their own windows.
    Every page, tile, table, headline, decision and JSON says what stands here.
    """

    table: Table
    sli: str
    shown: Measurement | None
    promise: SLO | None
    slo: Verdict | None = field(default=None, repr=False)
    sla: Verdict | None = field(default=None, repr=False)

    @property
    def subject(self) -> str:
        """How findings call it."""
        return f"{self.table.name} {SLIS[self.sli][0]}"

    @property
    def sla_breached(self) -> bool:
        """Whether what consumers were promised was not kept."""
        return self.sla is not None and self.sla.word == "breached"

    @property
    def status(self) -> Status:
        """ok: kept; warn: SLO missed; fail: SLA breached; unknown: nobody can tell."""
        if self.slo is None:
            return "unknown"
        if self.sla_breached:
            return "fail"
        return "warn" if self.slo.word == "breached" else self.slo.status

    @property
    def decisive(self) -> Verdict | None:
        """The verdict that the status follows from; its counts are the ones to show beside it."""
        return self.sla if self.sla_breached else self.slo

    @property
    def word(self) -> str:
        """The status in words; what cannot be measured says so."""
        if self.status == "unknown" and self.slo is not None and self.slo.word != "unknown":
            return self.slo.word
        return WORDS[self.status]

    @property
    def share(self) -> str:
        """The share of good that the verdict is about; empty when nothing was measured."""
        verdict = self.decisive
        if verdict is None:
            ratio = self.shown.ratio if self.shown else None
            return "" if ratio is None else percent(ratio)
        if verdict.ratio is None or not verdict.measured.total:
            return ""
        return percent(verdict.ratio, promise=verdict.target)

    @property
    def finding(self) -> Finding:
        """The level as a judgement, with the numbers behind its words."""
        unit, measured = SLIS[self.sli][1], self.decisive.measured if self.decisive else self.shown
        if measured is None or (not measured.total and not measured.unknown):
            why = "not measured" if self.promise else "nothing is promised or measured"
            step, numbers = "See what we do not know", {"tier": self.table.tier}
            return Finding(self.subject, "unknown", why, step, numbers)
        counts = (
            f"{self.share}, {part(measured.good, measured.total, unit)}"
            if self.share
            else "nothing is known yet"
        )
        counts += _doubts(measured, unit)
        numbers = self._numbers(measured)
        if self.promise is None or self.slo is None:
            words = f"{counts}; nothing is promised"
            return Finding(self.subject, "unknown", words, "Write an SLO", numbers)
        promised = f"SLO {self.promise.objective}"
        promised += f"; SLA {self.promise.sla}" if self.promise.sla else ""
        judged = "" if self.status == "ok" else f"{self.word}: "
        step = {
            "ok": "Nothing to do",
            "warn": "Repair before the SLA breaks" if self.promise.sla else "Repair it",
            "fail": "Tell its consumers",
            "unknown": self.slo.next_step,
        }[self.status]
        return Finding(self.subject, self.status, f"{judged}{counts}; {promised}", step, numbers)

    def _numbers(self, measured: Measurement) -> dict[str, Any]:
        numbers: dict[str, Any] = {
            "tier": self.table.tier,
            "good": measured.good,
            "total": measured.total,
            "unknown": measured.unknown,
            "ratio": measured.ratio,
            "source": measured.source,
        }
        if measured.unknown:
            numbers["coverage_ratio"] = measured.coverage
            numbers["bounds_ratio"] = list(measured.bounds or ())
        if self.sli == "pipeline_success_rate" and measured.total:  # minutes are no trials
            numbers["interval_ratio"] = list(budget.interval(measured.good, measured.total))
        if self.promise is not None and self.slo is not None:
            numbers["verdict"] = self.slo.word
            numbers["slo"] = str(self.promise.objective)
            numbers["sla"] = str(self.promise.sla) if self.promise.sla else None
        return numbers


def _doubts(measured: Measurement, unit: str) -> str:
    """What is unknown or still to come, and what that leaves open."""
    doubts = ""
    if measured.to_come:
        rest = plural(round(measured.to_come), unit.removesuffix("s"))
        doubts += f" so far, if the {rest} to come are good"
    if measured.unknown and measured.bounds:
        low, high = (percent(end, digits=3) for end in measured.bounds)
        doubts += f", {plural(measured.unknown, unit.removesuffix('s'))} unknown: "
        doubts += f"between {low} and {high}"
    return doubts


def level(measured: TableLevels, sli: str) -> Level:
    """One SLI of a table, each promise held over its own window."""
    counts, promise = measured.readings.get(sli), measured.promises.get(sli)
    shown, table = counts.shown if counts else None, measured.table
    if promise is None:
        return Level(table, sli, shown, None)
    trials, nothing = SLIS[sli][1] == "runs", Measurement(0, 0)
    slo = budget.stand(counts.against_slo if counts else nothing, promise.target, trials=trials)
    if promise.sla is None:
        return Level(table, sli, shown, promise, slo)
    against_sla = (counts.against_sla if counts else None) or nothing
    sla = budget.stand(against_sla, promise.sla_target, trials=trials)
    return Level(table, sli, shown, promise, slo, sla)


def judge(tables: Iterable[TableLevels]) -> tuple[Level, ...]:
    """Every service level of the tables; an SLI that few promise only where it is promised."""
    return tuple(
        level(measured, sli)
        for measured in tables
        for sli in SLIS
        if sli != "volume_anomaly" or sli in measured.promises
    )


def budgets_of(levels: Iterable[Level], policy: budget_policy.Policy) -> tuple[Budget, ...]:
    """What is left of each error budget, worst first, with what the policy says about it.

    A budget is counted in the promise's own unit over its own window: minutes of freshness, or
    expected runs. What cannot be judged comes last. A promise without a share of good has no
    budget and is left out.
    """
    left = [
        budget.of(
            level.promise,
            level.slo,
            policy,
            tier=level.table.tier,
            sla_breached=level.sla_breached,
        )
        for level in levels
        if level.promise is not None and level.slo is not None
        if level.sli in BUDGETED and level.promise.target is not None
    ]
    return tuple(sorted(left, key=_least_left))


def budgets(observed: Observed) -> tuple[Budget, ...]:
    """`budgets_of` everything that a team promises, by the policy of the playbook."""
    return budgets_of(judge(of_tables(observed)), budget_policy.load())


def _least_left(spent: Budget) -> tuple[int, float]:
    rank = {"not measurable": 1, "unknown": 2}.get(spent.verdict.word, 0)
    return rank, 0.0 if math.isnan(spent.remaining) else spent.remaining
