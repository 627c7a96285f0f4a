"""Answers to maturity questions that a team's own files prove, each with what was counted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta

from dataops_lib import contracts
from dataops_lib.evidence import incidents, levels, records
from dataops_lib.evidence.records import Observed
from dataops_lib.maturity import Measured
from dataops_lib.warehouse import metadata
from dataops_lib.windows import Window, midnight

HISTORY_DAYS = 30  # S3 asks for at least so many days of measurements
ROTA_DAYS = 28  # O1 asks for the next four weeks


def proofs(observed: Observed) -> dict[str, Measured]:
    """Question id -> the share of the team's work for which it holds; absent where nothing tells.

    A file proves what it holds and no more: that a contract is agreed with anybody, or that a
    rota is kept, stays a claim.
    """
    answers = {question: measure(observed) for question, measure in MEASURES.items()}
    return {question: proof for question, proof in answers.items() if proof}


def counts(observed: Observed) -> dict[str, int | None]:
    """The roadmap's countable aims; None where no file tells."""
    team = observed.team
    promised = {slo.table for slo in team.slos or () if slo.sla}
    on_call = None if team.rota is None else team.rota["person"].nunique()
    return {
        "tables_with_sla": None if team.slos is None else len(promised),
        "tables_under_contract": None if team.contracts is None else len(team.contracts),
        "people_on_call": on_call,
    }


def _share(part: Collection[str], whole: Collection[str], what: str) -> Measured | None:
    if not whole:
        return None
    count = len(set(part) & set(whole))
    return Measured(count / len(whole), f"{count} of {len(whole)} {what}")


def _tested(observed: Observed) -> Measured | None:
    agreed = observed.team.contracts
    if agreed is None:
        return None
    tested = [name for name, contract in agreed.items() if contracts.checks(contract)]
    return _share(tested, _tables(observed), "tables have checks in a contract")


def _orchestrated(observed: Observed) -> Measured | None:
    runs = observed.team.runs
    if runs is None:
        return None
    recent = runs[runs["due_at"] >= observed.window.start]
    names = [pipeline.name for pipeline in observed.team.pipelines]
    return _share(set(recent["pipeline"]), names, "pipelines have runs in the run history")


def _under_contract(observed: Observed) -> Measured | None:
    agreed = observed.team.contracts
    if agreed is None:
        return None
    return _share(agreed, _tables(observed), "tables are under contract")


def _audited(observed: Observed) -> Measured | None:
    if not observed.tables:
        return None
    audited = [name for name, (table, _) in observed.tables.items() if metadata.publish_tags(table)]
    return _share(audited, observed.tables, "published tables carry tags of audited publishes")


def _detected(observed: Observed) -> Measured | None:
    """S1 is met when alerts and audits found at least half of what happened."""
    if observed.team.alerts is None:
        return None
    detected = [i.detected_by for i in incidents.derive(observed) if i.detected_by]
    if not detected:
        return None
    ours = sum(who != "consumer" for who in detected)
    share = min(1.0, 2 * ours / len(detected))
    return Measured(share, f"{ours} of {len(detected)} incidents were found by an alert or audit")


def _with_sla(observed: Observed) -> Measured | None:
    team = observed.team
    if team.slos is None:
        return None
    matter = [table.name for table in team.tables if table.tier <= 2]
    promised = {slo.table for slo in team.slos if slo.sla}
    return _share(promised, matter, "tables of tier 1 and 2 have an SLA")


def _measured(observed: Observed) -> Measured | None:
    """S3: an SLO counts when its SLI is measured and the history is long enough."""
    slos, runs = observed.team.slos, observed.team.runs
    if not slos or runs is None or runs.empty:
        return None
    span = observed.team.as_of_at - runs["due_at"].min()
    names = [f"{slo.table} {slo.sli}" for slo in slos]
    if span < timedelta(days=HISTORY_DAYS):
        return _share((), names, f"SLOs have {HISTORY_DAYS} days of measurements")
    known = [
        f"{seen.table.name} {name}" for seen in levels.of_tables(observed) for name in seen.readings
    ]
    return _share(known, names, f"SLOs have {HISTORY_DAYS} days of measurements")


def _watched(observed: Observed) -> Measured | None:
    team = observed.team
    if team.slos is None:
        return None
    watched = {
        team.pipeline_of(table.name).name
        for table in team.tables
        if records.promises(team, table.name)
    }
    names = [pipeline.name for pipeline in team.pipelines]
    return _share(watched, names, "pipelines have an SLO")


def _on_call(observed: Observed) -> Measured | None:
    team = observed.team
    if team.rota is None:
        return None
    end = midnight(team.as_of + timedelta(days=ROTA_DAYS), team.zone)
    ahead = Window(team.as_of_at, end)
    shifts = team.rota[team.rota["role"].str.lower() == "primary"]
    covered, reached = timedelta(0), ahead.start
    for begins, ends in sorted(zip(shifts["starts_at"], shifts["ends_at"], strict=True)):
        end = min(ends.to_pydatetime(), ahead.end)
        covered += max(end - max(begins.to_pydatetime(), reached), timedelta(0))
        reached = max(reached, end)
    share = covered / ahead.duration
    days = covered / timedelta(days=1)
    return Measured(share, f"{days:.0f} of the next {ROTA_DAYS} days have a primary in rota.csv")


def _acted_on(observed: Observed) -> Measured | None:
    alerts = observed.team.alerts
    if alerts is None or alerts["action_taken"].isna().all():
        return None
    names = set(alerts["name"])
    answered = set(alerts.loc[alerts["action_taken"].notna(), "name"])
    return _share(answered, names, "alert names say whether somebody had to act")


def _owned(observed: Observed) -> Measured | None:
    team = observed.team
    roster = {person.name for person in team.people}
    if not roster:
        return None
    owned = [table.name for table in team.tables if table.owner in roster]
    return _share(owned, _tables(observed), "tables have an owner who is in the roster")


def _tables(observed: Observed) -> list[str]:
    return [table.name for table in observed.team.tables]


MEASURES: dict[str, Callable[[Observed], Measured | None]] = {
    "C2": _tested,
    "C3": _orchestrated,
    "Q1": _under_contract,
    "Q2": _audited,
    "S1": _detected,
    "S2": _with_sla,
    "S3": _measured,
    "S4": _watched,
    "O1": _on_call,
    "O6": _acted_on,
    "W1": _owned,
}
