"""A team's incidents: derived from its records, and as a review looks at them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from dataops_lib.evidence import levels, records, verdicts
from dataops_lib.evidence.records import Observed
from dataops_lib.incidents import actions, incident, postmortem, postmortem_lint, timeline
from dataops_lib.incidents.incident import Incident
from dataops_lib.service_levels import severity
from dataops_lib.service_levels.budget import Budget
from dataops_lib.teams import Team, git_log
from dataops_lib.windows import Window


def derive(observed: Observed) -> tuple[Incident, ...]:
    """Incidents known at `as_of`, oldest first; empty without a run history."""
    team = observed.team
    if team.runs is None:
        return ()
    rules = severity.load()

    def level(table: str, slo_missed: bool, sla_breached: bool, lasted: timedelta) -> str | None:
        if not slo_missed and not sla_breached:
            return None
        state: severity.State = "sla_breached" if sla_breached else "slo_missed"
        tier, promises = team.table(table).tier, records.promises(team, table).values()
        written = next((promise.severity for promise in promises if promise.severity), None)
        return severity.severity(tier, state, lasted, rules, written)

    return tuple(
        incident.derive(
            team.runs,
            [_promise(observed, table.name) for table in team.tables],
            until=team.as_of_at,
            severity=level,
            alerts=team.alerts,
            consumers=team.consumers,
            zone=team.zone,
            findings=team.audits,
        )
    )


def _promise(observed: Observed, table: str) -> incident.Promise:
    promise = records.promises(observed.team, table).get("freshness")
    sla = promise.sla.limit if promise and promise.sla else None
    return incident.Promise(
        observed.team.table(table).pipeline,
        table,
        observed.due[table],
        records.grace(observed.team, table),
        sla if isinstance(sla, timedelta) else None,
    )


def subject(observed: Observed, otherwise: Observed) -> Observed:
    """`observed` when its team had an incident, else `otherwise`."""
    return observed if derive(observed) else otherwise


def budget_used(observed: Observed, incident: Incident) -> dict[str, float]:
    """Share of each table's freshness budget that the incident spent; above 1 it took it all.

    Tables without a freshness SLO with a share, or without a measured budget, are left out.
    """
    return _used(observed, incident, verdicts.budgets(observed))


def costs(
    observed: Observed, incidents: Iterable[Incident], budgets: Sequence[Budget]
) -> dict[str, tuple[str, float]]:
    """The table whose freshness budget each incident took most of, and the share, by its id."""
    used = {incident.id: _used(observed, incident, budgets) for incident in incidents}
    return {
        id: max(shares.items(), key=lambda item: item[1]) for id, shares in used.items() if shares
    }


def _used(observed: Observed, incident: Incident, budgets: Iterable[Budget]) -> dict[str, float]:
    used = {}
    window = Window(incident.due_at, incident.resolved_at or incident.until)
    for budget in budgets:
        slo, allowed = budget.slo, budget.verdict.allowed
        if slo.sli == "freshness" and slo.table in incident.tables and allowed > 0:
            measured = levels.freshness(observed, slo.table, window, slo.objective)
            if measured is not None:
                used[slo.table] = (measured.total - measured.good) / allowed
    return used


def context(observed: Observed) -> postmortem_lint.Context:
    """What a lint may know of the team: its roster."""
    people = observed.team.people
    names = tuple(person.name for person in people)
    return postmortem_lint.Context(names, tuple({person.role: None for person in people}))


def action_items(team: Team) -> tuple[postmortem.Action, ...] | None:
    """Action items of the team's `actions.csv`; None without the file.

    Raises
    ------
    TeamError
        With every mistake of the file.
    """
    path = team.folder / "actions.csv"
    if not path.is_file():
        return None
    return actions.loads(path.read_text(encoding="utf-8", errors="replace"), path.name)


def deploys(team: Team, one: Incident) -> tuple[postmortem.Row, ...]:
    """Commits that changed the team's models, sources or contracts shortly before an incident."""
    end = one.resolved_at or one.until
    log = git_log.commits(team.folder, one.started_at - timeline.BEFORE, end)
    built = ("pipelines/", "sources/", "contracts/")
    ours = [c for c in log.commits or () if any(c.touches(place) for place in built)]
    return timeline.deploys(ours, one)
