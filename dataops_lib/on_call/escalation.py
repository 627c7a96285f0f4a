"""Who should have been called when: an incident replayed on the two clocks of escalation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dataops_lib.incidents import flow as incident_flow
from dataops_lib.incidents.flow import Flow
from dataops_lib.incidents.incident import Incident
from dataops_lib.incidents.postmortem import Mark, Row
from dataops_lib.on_call.rota import Rota
from dataops_lib.wording import span


@dataclass(frozen=True)
class Call:
    """Somebody is due to be called: when (UTC), which layer, why, and who that was."""

    at: datetime
    layer: str
    why: str
    person: str | None = None  # None: no rota is known, or nobody held the layer


def replay(
    timeline: Iterable[Row],
    policy: Flow | None = None,
    *,
    rota: Rota | None = None,
    domain: str | None = None,
    until: datetime | None = None,
) -> list[Call]:
    """Who should have been called when, by the clocks of `policy`.

    The first layer is called at the row marked `detected`. A call that nobody acknowledges within
    5 minutes, or that is not repaired within 30, calls the next layer, up to the last.

    Parameters
    ----------
    timeline
        Rows with the marks detected and, if known, acknowledged and repaired.
    policy : Flow, optional
        Default: the playbook's.
    rota, domain
        Who was on call, and the table whose domain expert is meant.
    until : datetime, optional
        UTC; an incident that is not repaired is replayed up to here, else to the last row.

    Raises
    ------
    ValueError
        If no row is marked `detected`: nobody was told, so no clock began.
    """
    flow, rows = policy or incident_flow.load(), sorted(timeline, key=lambda row: row.at)
    first: dict[Mark, datetime] = {row.mark: row.at for row in reversed(rows) if row.mark}
    if "detected" not in first:
        raise ValueError("no row of the timeline is marked `detected`, so no clock began")
    stop = next((at for mark, at in first.items() if mark == flow.stops_at), None)
    stop = stop or first.get("verified") or max(until or rows[-1].at, rows[-1].at)
    acknowledged = first.get("acknowledged", stop)
    at, why, calls = first["detected"], "the alert", []
    for layer in flow.layers:
        person = None if rota is None else rota.who(at, layer, domain)
        calls.append(Call(at, layer, why, person))
        answered = acknowledged <= at + flow.clocks["acknowledge"].within
        within = flow.clocks["resolve" if answered else "acknowledge"].within
        why = f"not {'repaired' if answered else 'acknowledged'} within {span(within)}"
        at += within
        if at >= stop:
            break
    return calls


def timeline(incident: Incident) -> list[Row]:
    """The marks that the records of an incident show; empty if nobody has noticed it."""
    known: list[tuple[datetime | None, str, Mark]] = [
        (incident.detected_at, "noticed", "detected"),
        (incident.acknowledged_at, "acknowledged", "acknowledged"),
        (incident.resolved_at, "current again", "repaired"),
    ]
    if incident.detected_at is None:
        return []
    return [Row(at, event, "records", mark) for at, event, mark in known if at is not None]
