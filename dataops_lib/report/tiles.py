"""The four figures of page one: what is counted, how it stands, how to recompute it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataops_lib.evidence.levels import TableLevels
from dataops_lib.evidence.verdicts import Level, judge
from dataops_lib.finding import Finding, Status, worst_first
from dataops_lib.service_levels.measurements import Measurement, pooled
from dataops_lib.wording import WORDS, part, plural

DAYS = 30  # the period of a report, the same as the article's budgets

TILES = {  # name: label, what is counted, what to do when it is bad
    "freshness": ("Tier-1 freshness kept", "table-days", "Read how the stale days began"),
    "success": ("Runs that published first time", "expected runs", "Read the failed attempts"),
    "completeness": ("Required values present", "cells", "Find the rows with gaps"),
    "publishes": ("Publishes that passed the audit", "audited publishes", "Read what was blocked"),
}
SLI_OF = {
    "freshness": "freshness",
    "success": "pipeline_success_rate",
    "completeness": "completeness",
}


@dataclass(frozen=True)
class Tile:
    """One figure of page one: n of N, where it comes from, and the query that recomputes it.

    `word` says how the promises behind it stand, over their own windows.
    """

    name: str
    label: str
    unit: str
    measured: Measurement | None
    period: str
    query: str
    finding: Finding
    word: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        measured = self.measured
        return {
            "name": self.name,
            "label": self.label,
            "good": measured.good if measured else None,
            "total": measured.total if measured else None,
            "unknown": measured.unknown if measured else None,
            "unit": self.unit,
            "period": self.period,
            "source": measured.source if measured else None,
            "query": self.query,
            "status": self.finding.status,
        }


def tiles(
    tables: Sequence[TableLevels], queries: Mapping[str, str], period: str
) -> tuple[Tile, ...]:
    """The four figures; `queries` holds the SQL that recomputes each.

    Freshness is that of tier-1 tables which promise it: without a promise nothing is late.
    """
    first = [seen for seen in tables if seen.table.tier == 1 and "freshness" in seen.promises]
    measured = {
        "freshness": pooled([seen.fresh_days for seen in first]),
        "success": pooled([seen.shown("pipeline_success_rate") for seen in tables]),
        "completeness": pooled([seen.shown("completeness") for seen in tables]),
        "publishes": pooled([seen.publishes for seen in tables]),
    }
    promised = {
        name: [
            level
            for level in judge(tables)
            if level.sli == sli and level.promise and (name != "freshness" or level.table.tier == 1)
        ]
        for name, sli in SLI_OF.items()
    }
    return tuple(
        _tile(name, measured[name], promised.get(name, []), queries.get(name, ""), period)
        for name in TILES
    )


def _tile(
    name: str, measured: Measurement | None, promised: Sequence[Level], query: str, period: str
) -> Tile:
    label, unit, step = TILES[name]
    if measured is None or measured.ratio is None:
        why = "not measured" if promised or name != "freshness" else "nothing is promised"
        if name == "publishes":
            why = "no audit is on record"
        finding = Finding(label, "unknown", why, "See what we do not know")
        return Tile(name, label, unit, measured, period, query, finding, WORDS["unknown"])
    status, word = _stands(promised)
    if name == "publishes":  # a blocked publish is the audit doing its work, yet worth a look
        blocked = measured.total - measured.good
        status, word = ("warn" if blocked else "ok"), f"{blocked:,.0f} blocked"
    if name == "completeness":
        period = "everything published by then"
    numbers = {"good": measured.good, "total": measured.total, "source": measured.source}
    step = "Nothing to do" if status == "ok" else step
    evidence = part(measured.good, measured.total, unit)
    evidence += f", {plural(measured.unknown, unit[:-1])} unknown" if measured.unknown else ""
    finding = Finding(label, status, evidence, step, numbers)
    return Tile(name, label, unit, measured, period, query, finding, word)


def _stands(promised: Sequence[Level]) -> tuple[Status, str]:
    """The status of the worst promise, in words that name its window if it is another one."""
    if not promised:
        return "unknown", "nothing is promised"
    status = worst(level.finding for level in promised)
    level = next(level for level in promised if level.status == status)
    objective = level.promise.objective if level.promise else None
    if level.sla_breached and level.promise:
        objective = level.promise.sla
    window = objective.period if objective else None
    usual = window is None or window.days == DAYS or level.sli == "completeness"
    return status, level.word if usual else f"{level.word} ({window})"


def worst(findings: Iterable[Finding]) -> Status:
    """The status that a group of findings has as a whole; unknown without any."""
    ordered = worst_first(findings)
    return ordered[0].status if ordered else "unknown"
