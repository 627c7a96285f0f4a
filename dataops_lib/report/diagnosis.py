"""A diagnosis: four tiles, service levels by tier, and what nobody can know."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from typing import Any

from dataops_lib import playbook, wording
from dataops_lib.evidence import Observed, incidents, levels, practices, recompute
from dataops_lib.evidence.levels import SLIS, MeasuredLevel, TableLevels
from dataops_lib.finding import Finding, Status, worst_first
from dataops_lib.incidents.incident import Incident
from dataops_lib.maturity import gate, model, scoring
from dataops_lib.onboarding import traces
from dataops_lib.report import decisions
from dataops_lib.report.decisions import Decision
from dataops_lib.service_levels import budget, budget_policy, objectives
from dataops_lib.service_levels.measurements import Measurement, pooled
from dataops_lib.teams import Team
from dataops_lib.windows import Window

SCHEMA_VERSION = 1
DAYS = 30  # the period of a report, the same as the article's budgets

TILES = {  # name: label, what is counted, what to do when it is bad
    "freshness": ("Tier-1 freshness kept", "table-days", "Read how the stale days began"),
    "success": ("Runs that published first time", "expected runs", "Read the failed attempts"),
    "completeness": ("Required values present", "cells", "Find the rows with gaps"),
    "publishes": ("Publishes that passed the audit", "audited publishes", "Read what was blocked"),
}


@dataclass(frozen=True)
class Tile:
    """One figure of page one: n of N, where it comes from, and the query that recomputes it."""

    name: str
    label: str
    unit: str
    measured: Measurement | None
    period: str
    query: str
    finding: Finding


@dataclass(frozen=True)
class Diagnosis:
    """Everything a report says about one team at one date."""

    team: str
    title: str
    as_of: date
    window: Window
    period: str
    tiles: tuple[Tile, ...]
    tables: tuple[TableLevels, ...]
    findings: tuple[Finding, ...]
    unknowns: tuple[Finding, ...]
    budgets: tuple[Finding, ...] = ()
    maturity: Finding | None = None
    step: Finding | None = None
    incidents: tuple[Incident, ...] = ()
    decisions: tuple[Decision, ...] = ()
    onboarding: tuple[Finding, ...] = ()
    onboarding_note: str = ""
    simulated: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def tile(self, name: str) -> Tile:
        """The tile called `name`."""
        return next(tile for tile in self.tiles if tile.name == name)

    def finding(self, subject: str) -> Finding:
        """The finding about `subject`."""
        return next(finding for finding in self.findings if finding.subject == subject)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Every judgement: service levels, budgets, maturity, first months, and the unknown."""
        asked = tuple(one for one in (self.maturity, self.step) if one is not None)
        return (*self.findings, *self.budgets, *asked, *self.onboarding, *self.unknowns)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for diagnosis.json; the same inputs give the same values again."""
        window = {"start": self.window.start.isoformat(), "end": self.window.end.isoformat()}
        return {
            "schema_version": SCHEMA_VERSION,
            "team": self.team,
            "as_of": self.as_of.isoformat(),
            "window": window | {"text": self.period},
            "tiles": [_tile_dict(tile) for tile in self.tiles],
            "findings": [finding.as_dict() for finding in self.all_findings],
            "onboarding": [finding.subject for finding in self.onboarding],
            "incidents": [_incident_dict(one) for one in self.incidents],
            "decisions": [decision.as_dict() for decision in self.decisions],
            "simulated": self.simulated,
            "provenance": dict(self.provenance),
        }


def _tile_dict(tile: Tile) -> dict[str, Any]:
    measured = tile.measured
    return {
        "name": tile.name,
        "label": tile.label,
        "good": measured.good if measured else None,
        "total": measured.total if measured else None,
        "unit": tile.unit,
        "period": tile.period,
        "source": measured.source if measured else None,
        "query": tile.query,
        "status": tile.finding.status,
    }


def _incident_dict(one: Incident) -> dict[str, Any]:
    moments = ("due_at", "started_at", "detected_at", "resolved_at")
    times = {name: at.isoformat() if (at := getattr(one, name)) else None for name in moments}
    plain = ("id", "pipeline", "kind", "severity", "detected_by", "slo_missed", "sla_breached")
    return (
        {name: getattr(one, name) for name in plain}
        | times
        | {
            "tables": list(one.tables),
            "planted": one.planted,
        }
    )


def judge(seen: TableLevels) -> list[Finding]:
    """One finding for each SLI of a table: kept, SLO missed, SLA breached, or unknown."""
    return [judge_sli(seen, name) for name in SLIS]


def judge_sli(seen: TableLevels, name: str) -> Finding:
    """Hold one SLI of a table against its promise, each over the promise's own period."""
    title, unit = SLIS[name]
    subject = f"{seen.table.name} {title}"
    reading, promise = seen.readings.get(name), seen.promises.get(name)
    if reading is None or reading.shown.ratio is None:
        step = "See what we do not know"
        return Finding(subject, "unknown", "not measured", step, {"tier": seen.table.tier})
    shown = f"{wording.percent(reading.shown.ratio)}, {counted(reading.shown, unit)}"
    numbers = _numbers(seen, reading, promise)
    if promise is None:
        return Finding(subject, "unknown", f"{shown}; nothing is promised", "Write an SLO", numbers)
    promised = f"SLO {promise.objective}" + (f"; SLA {promise.sla}" if promise.sla else "")
    sla_target = promise.sla.target if promise.sla else None
    if reading.against_sla is not None and not kept(reading.against_sla, sla_target):
        evidence = f"SLA breached: {shown}; {promised}"
        return Finding(subject, "fail", evidence, "Tell its consumers", numbers)
    if not kept(reading.against_slo, promise.target):
        evidence = f"SLO missed: {shown}; {promised}"
        return Finding(subject, "warn", evidence, "Repair before the SLA breaks", numbers)
    return Finding(subject, "ok", f"{shown}; {promised}", "Nothing to do", numbers)


def counted(measured: Measurement, unit: str) -> str:
    """The counts behind a ratio.

    Examples
    --------
    >>> counted(Measurement(1520.4, 1560), "minutes")
    '1,520 of 1,560 minutes'
    """
    return f"{measured.good:,.0f} of {measured.total:,.0f} {unit}"


def kept(measured: Measurement, target: Any) -> bool:
    """Whether a promise held; without a share of its own it must have held always."""
    if measured.ratio is None:
        return True
    return measured.good >= measured.total if target is None else measured.ratio >= float(target)


def _numbers(
    seen: TableLevels, reading: MeasuredLevel, promise: objectives.SLO | None
) -> dict[str, Any]:
    shown = reading.shown
    numbers: dict[str, Any] = {
        "tier": seen.table.tier,
        "good": shown.good,
        "total": shown.total,
        "unknown": shown.unknown,
        "ratio": shown.ratio,
        "source": shown.source,
    }
    if shown.source == "run history" and float(shown.total).is_integer():
        numbers["interval_ratio"] = list(budget.interval(shown.good, shown.total))
    if promise is not None:
        numbers["slo"] = str(promise.objective)
        numbers["sla"] = str(promise.sla) if promise.sla else None
    return numbers


def tiles(
    tables: Sequence[TableLevels], queries: Mapping[str, str], period: str
) -> tuple[Tile, ...]:
    """The four figures of page one; `queries` holds the SQL that recomputes each."""
    first = [seen for seen in tables if seen.table.tier == 1]
    measured = {
        "freshness": pooled([seen.fresh_days for seen in first]),
        "success": pooled([seen.shown("pipeline_success_rate") for seen in tables]),
        "completeness": pooled([seen.shown("completeness") for seen in tables]),
        "publishes": pooled([seen.publishes for seen in tables]),
    }
    judged = {
        "freshness": [judge_sli(seen, "freshness") for seen in first],
        "success": [judge_sli(seen, "pipeline_success_rate") for seen in tables],
        "completeness": [judge_sli(seen, "completeness") for seen in tables],
        "publishes": [],
    }
    return tuple(
        _tile(name, measured[name], judged[name], queries.get(name, ""), period) for name in TILES
    )


def _tile(
    name: str, measured: Measurement | None, judged: Sequence[Finding], query: str, period: str
) -> Tile:
    label, unit, step = TILES[name]
    if measured is None or measured.ratio is None:
        finding = Finding(label, "unknown", "not measured", "See what we do not know")
        return Tile(name, label, unit, measured, period, query, finding)
    status = worst([one for one in judged if one.status != "unknown"])
    if name == "publishes":  # a blocked publish is the audit doing its work, yet worth a look
        status = "ok" if measured.good == measured.total else "warn"
    if name == "completeness":
        period = "everything published by then"
    numbers = {"good": measured.good, "total": measured.total, "source": measured.source}
    step = "Nothing to do" if status == "ok" else step
    finding = Finding(label, status, counted(measured, unit), step, numbers)
    return Tile(name, label, unit, measured, period, query, finding)


def worst(findings: Sequence[Finding]) -> Status:
    """The status that a group of findings has as a whole; unknown without any."""
    ordered = worst_first(findings)
    return ordered[0].status if ordered else "unknown"


def unknowns(missing: Mapping[str, str], tables: Sequence[TableLevels]) -> tuple[Finding, ...]:
    """What this report cannot say, and which file would change that."""
    found = [
        Finding(name, "unknown", f"not given, so we do not know {what}", f"Add {name}")
        for name, what in missing.items()
    ]
    silent = [
        f"{seen.table.name} {title}"
        for seen in tables
        for name, (title, _) in SLIS.items()
        if name not in seen.promises
        and (name in seen.readings or (name == "freshness" and seen.publishes is not None))
    ]
    if silent:
        evidence = f"no objective for {', '.join(silent)}"
        found.append(Finding("promises", "unknown", evidence, "Write an SLO, or say why not"))
    return tuple(found)


PACKAGES = (
    "dataops-notebooks",
    "duckdb",
    "matplotlib",
    "pandas",
    "papermill",
    "pyarrow",
    "pyiceberg",
)


def diagnose(team: Team, days: int = DAYS) -> Diagnosis:
    """Measure and judge everything that page one of a report says.

    Parameters
    ----------
    team : Team
        As `teams.load` gives it, cut to its `as_of`.
    days : int
        Length of the period before `as_of`.
    """
    observed = Observed(team, days)
    tables = levels.of_tables(observed)
    period = f"{days} days to {wording.day(team.as_of)}"
    findings = tuple(finding for seen in tables for finding in judge(seen))
    missing = dict(team.missing)
    if team.catalog is not None:
        gone = [table.name for table in team.tables if table.name not in observed.tables]
        missing |= {f"table {name}": "its completeness and volume" for name in gone}
    elif team.tables:
        missing["catalog in team.yaml"] = "what the tables hold"
    left = decisions.budgets(
        tables, budget_policy.load_policy(playbook.text("error_budget_policy.yaml"))
    )
    level, step = _assessed(observed)
    recent = tuple(one for one in incidents.derive(observed) if one.overlaps(observed.window))
    return Diagnosis(
        team=team.name,
        title=team.title,
        as_of=team.as_of,
        window=observed.window,
        period=period,
        tiles=tiles(tables, recompute.queries(observed), period),
        tables=tables,
        findings=findings,
        unknowns=unknowns(missing, tables),
        budgets=left,
        maturity=level,
        step=step,
        incidents=recent,
        decisions=decisions.decide(left, recent, team.people, team.as_of),
        onboarding=traces.findings(observed),
        onboarding_note=team.onboarding.note.strip() if team.onboarding else "",
        simulated=team.example.simulated.strip() if team.example else "",
        provenance=provenance(team),
    )


def _assessed(observed: Observed) -> tuple[Finding | None, Finding | None]:
    """Level and next step, by what is shown or measured; None, None when nobody was asked."""
    assessment = observed.team.assessment
    if assessment is None:
        return None, None
    questions = model.load_model()
    claimed = scoring.score(questions, assessment.answers)
    proved = scoring.score(
        questions, assessment.answers, strict=True, measured=practices.proofs(observed)
    )
    return gate.judge(proved, claimed), gate.next_step(proved, assessment.votes)


def provenance(team: Team) -> dict[str, Any]:
    """What the numbers were made from: parameters, versions, and the sha256 of every input."""
    versions = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
    return {
        "parameters": {"team": team.name, "as_of": team.as_of.isoformat()},
        "versions": versions,
        "inputs": dict(sorted(team.inputs.items())),
    }
