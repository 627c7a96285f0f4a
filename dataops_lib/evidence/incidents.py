"""A team's incidents for a review: which one, what it cost."""

from __future__ import annotations

from dataops_lib.evidence import accounts
from dataops_lib.evidence.records import Observed
from dataops_lib.incidents import postmortem_lint
from dataops_lib.incidents.incident import Incident
from dataops_lib.windows import Window


def subject(observed: Observed, otherwise: Observed) -> Observed:
    """`observed` when its team had an incident, else `otherwise`."""
    return observed if observed.incidents else otherwise


def budget_used(observed: Observed, incident: Incident) -> dict[str, float]:
    """Share of each table's freshness budget that the incident spent; above 1 it took it all.

    Tables without a freshness SLO with a share, or without a measured budget, are left out.
    """
    used = {}
    end = incident.resolved_at or incident.until
    for account in accounts.accounts(observed):
        slo = account.slo
        if slo.sli != "freshness" or slo.table not in incident.tables or not account.allowed > 0:
            continue
        window = Window(incident.due_at, end)
        measured = observed.freshness(slo.table, window, slo.objective)
        if measured is not None:
            used[slo.table] = (measured.total - measured.good) / account.allowed
    return used


def context(observed: Observed) -> postmortem_lint.Context:
    """What a lint may know of the team: its roster."""
    people = observed.team.people
    names = tuple(person.name for person in people)
    return postmortem_lint.Context(names, tuple({person.role: None for person in people}))
