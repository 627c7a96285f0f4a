"""A diagnosis: four tiles, service levels by tier, and what nobody can know."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from typing import Any

from dataops_lib import wording
from dataops_lib.evidence import Observed, incidents, levels, practices, recompute, verdicts
from dataops_lib.evidence.levels import TableLevels
from dataops_lib.evidence.verdicts import Level
from dataops_lib.finding import Finding
from dataops_lib.incidents.headlines import worst
from dataops_lib.incidents.incident import Incident
from dataops_lib.maturity import gate, model, scoring
from dataops_lib.onboarding import traces
from dataops_lib.report import decisions
from dataops_lib.report.decisions import Decision
from dataops_lib.report.tiles import DAYS, Tile, tiles
from dataops_lib.service_levels import budget_policy
from dataops_lib.service_levels.budget import Budget
from dataops_lib.teams import Team
from dataops_lib.windows import Window
from dataops_lib.wording import listed, plural

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Diagnosis:
    """Everything a report says about one team at one date.

    `alerts_known` and `runs_known` say whether a file tells who was called, and what ran: without
    them nobody was seen to notice anything, and no incident is none that is known. `drafted` is the
    incident that the postmortem section writes about. `costs` names, by the id of an incident, the
    table whose budget it took most of, and the share.
    """

    team: str
    title: str
    as_of: date
    window: Window
    period: str
    tiles: tuple[Tile, ...]
    tables: tuple[TableLevels, ...]
    levels: tuple[Level, ...]
    unknowns: tuple[Finding, ...]
    budgets: tuple[Budget, ...] = ()
    maturity: Finding | None = None
    step: Finding | None = None
    incidents: tuple[Incident, ...] = ()
    costs: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()
    onboarding: tuple[Finding, ...] = ()
    onboarding_note: str = ""
    simulated: str = ""
    alerts_known: bool = True
    runs_known: bool = True
    drafted: Incident | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def tile(self, name: str) -> Tile:
        """The tile called `name`."""
        return next(tile for tile in self.tiles if tile.name == name)

    def finding(self, subject: str) -> Finding:
        """The finding about `subject`."""
        return next(finding for finding in self.findings if finding.subject == subject)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The service levels as judgements."""
        return tuple(level.finding for level in self.levels)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Every judgement: service levels, budgets, maturity, first months, and the unknown."""
        answers = tuple(finding for finding in (self.maturity, self.step) if finding is not None)
        budgets = tuple(budget.finding for budget in self.budgets)
        return (*self.findings, *budgets, *answers, *self.onboarding, *self.unknowns)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for diagnosis.json; the same inputs give the same values again."""
        window = {"start": self.window.start.isoformat(), "end": self.window.end.isoformat()}
        return {
            "schema_version": SCHEMA_VERSION,
            "team": self.team,
            "as_of": self.as_of.isoformat(),
            "window": window | {"text": self.period},
            "tiles": [tile.as_dict() for tile in self.tiles],
            "findings": [finding.as_dict() for finding in self.all_findings],
            "onboarding": [finding.subject for finding in self.onboarding],
            "incidents": [
                _incident_dict(one) | {"budget_share": self.costs.get(one.id, ("", None))[1]}
                for one in self.incidents
            ],
            "decisions": [decision.as_dict() for decision in self.decisions],
            "simulated": self.simulated,
            "provenance": dict(self.provenance),
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


def unknowns(missing: Mapping[str, str], levels: Sequence[Level]) -> tuple[Finding, ...]:
    """What this report cannot say, and which file would change that."""
    gaps = [
        Finding(name, "unknown", f"not given, so we do not know {what}", f"Add {name}")
        for name, what in missing.items()
    ]
    loaded = {level.table.name for level in levels if level.shown}
    silent = [
        level.subject
        for level in levels
        if level.promise is None
        and (level.shown or (level.sli == "freshness" and level.table.name in loaded))
    ]
    if silent:
        evidence = f"no objective for {listed(silent)}"
        gaps.append(Finding("promises", "unknown", evidence, "Write an SLO, or say why not"))
    return tuple(gaps)


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
    period = f"{plural(days, 'day')} to {wording.day(team.as_of)}"
    missing = dict(team.missing)
    if team.catalog is not None:
        gone = [table.name for table in team.tables if table.name not in observed.tables]
        missing |= {f"table {name}": "its completeness and volume" for name in gone}
    elif team.tables:
        missing["catalog in team.yaml"] = "what the tables hold"
    if any(name not in observed.versions for name in observed.attempts):
        missing["published_at in runs.csv"] = "when readers could see each version"
    judged, policy = verdicts.judge(tables), budget_policy.load()
    budgets = verdicts.budgets_of(judged, policy)
    level, step = _assessed(observed)
    every = incidents.derive(observed)
    happened = tuple(incident for incident in every if incident.overlaps(observed.window))
    facts = decisions.Facts(
        levels=judged,
        budgets=budgets,
        incidents=happened,
        alerts_known=team.alerts is not None,
    )
    return Diagnosis(
        team=team.name,
        title=team.title,
        as_of=team.as_of,
        window=observed.window,
        period=period,
        tiles=tiles(tables, recompute.queries(observed), period),
        tables=tables,
        levels=judged,
        unknowns=unknowns(missing, judged),
        budgets=budgets,
        maturity=level,
        step=step,
        incidents=happened,
        costs=incidents.costs(observed, happened, budgets),
        decisions=decisions.decide(facts, team.people, team.as_of),
        onboarding=traces.findings(observed),
        onboarding_note=team.onboarding.note.strip() if team.onboarding else "",
        simulated=team.example.simulated.strip() if team.example else "",
        alerts_known=team.alerts is not None,
        runs_known=team.runs is not None,
        drafted=worst(every) if every else None,
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
