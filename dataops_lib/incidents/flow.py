"""The states of an incident, what may follow what, what is due when, and a word to consumers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from dataops_lib import playbook, yaml_lines
from dataops_lib.errors import UsageError
from dataops_lib.fields import Frozen, Line
from dataops_lib.finding import Finding, Status
from dataops_lib.incidents.incident import Incident
from dataops_lib.service_levels import severity
from dataops_lib.service_levels.severity import ServiceHours
from dataops_lib.wording import span


class State(Frozen):
    """One state of an incident: who acts, which clock runs, what may come next."""

    name: Line
    role: Line
    clock: Literal["acknowledge", "resolve", "update", "review", "none"]
    about: Line
    next: tuple[Line, ...]
    message: Line
    ours: bool = False


class Clock(Frozen):
    """How long one step may take."""

    within: timedelta
    source: Line


class Flow(Frozen):
    """The whole incident_flow.yaml."""

    version: int
    source: Line
    states: tuple[State, ...]
    clocks: Mapping[str, Clock]
    stops_at: Line
    layers: tuple[Line, ...]

    def state(self, name: str) -> State:
        """The state called `name`.

        Raises
        ------
        UsageError
            If there is none; the known ones are named.
        """
        for state in self.states:
            if state.name == name:
                return state
        names = ", ".join(state.name for state in self.states)
        raise UsageError(f"there is no state {name!r} of an incident; there are: {names}")

    def step(self, state: str, to: str) -> str:
        """The state `to`, if it may follow `state`.

        Raises
        ------
        UsageError
            If it may not; what may follow is named.

        Examples
        --------
        >>> load().step("acknowledged", "triaged")
        'triaged'
        """
        here = self.state(state)
        if self.state(to).name not in here.next:
            allowed = ", ".join(here.next) or "nothing, it is the end"
            raise UsageError(f"an incident cannot go from {state} to {to}; next is: {allowed}")
        return to


@cache
def load() -> Flow:
    """The states and clocks of an incident, data/playbook/incident_flow.yaml."""
    name = "incident_flow.yaml"
    return yaml_lines.validate(Flow, yaml_lines.loads(playbook.text(name), name))


@cache
def _severities() -> severity.Severities:
    return severity.load_severities(playbook.text("severity.yaml"))


def changes(incident: Incident, reviewed_at: datetime | None = None) -> list[tuple[datetime, str]]:
    """The state changes of an incident that its records show, in order; the others are not known.

    An audit that blocked has contained it: readers kept the version before.
    """
    last = [d.published_at for d in incident.disturbances]
    complete = None if None in last else max(at for at in last if at is not None)
    blocked = [sign.at for sign in incident.signs if sign.by == "audit"]
    moments = [
        (incident.detected_at, "detected"),
        (min(blocked, default=None), "contained"),
        (incident.acknowledged_at, "acknowledged"),
        (incident.resolved_at, "verified"),
        (complete, "repaired"),
        (reviewed_at, "reviewed"),
    ]
    order = [state.name for state in load().states]
    ordered = [(at, name) for at, name in moments if at is not None]
    return sorted(ordered, key=lambda change: (change[0], order.index(change[1])))


@dataclass(frozen=True)
class Word:
    """What consumers are told at one change of state; times are UTC."""

    at: datetime
    state: str
    text: str
    next_update_at: datetime | None


def words(incident: Incident, zone: str) -> list[Word]:
    """A message to consumers at each change of state: what, which days, until when, what next.

    Written from records alone: what they do not show is said to be not known.
    """
    flow, messages = load(), []
    for at, name in changes(incident):
        state = flow.state(name)
        late = [d for d in incident.disturbances if d.due_at <= at]
        open_now = [d for d in late if d.published_at is None or d.published_at > at]
        over = name in ("verified", "repaired", "reviewed", "closed")
        what = ", ".join(dict.fromkeys(d.table for d in (late if over else open_now) or late))
        due = sorted({d.due_at for d in (open_now or late)})
        loads = ", ".join(f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for moment in due)
        text = state.message.format(what=what)
        text += (
            f" Complete again: what was due {loads}." if over and not open_now
            else f" Not there yet: what was due {loads} ({zone})."
        )  # fmt: skip
        goes_on = not over and incident.severity == "P1"
        again = at + flow.clocks["update"].within if goes_on else None
        if again is not None:
            text += f" Next word by {again.astimezone(ZoneInfo(zone)):%H:%M} ({zone})."
        elif not over:
            text += " Until when is not known; we write when it changes."
        messages.append(Word(at, name, text, again))
    return messages


def due_list(
    incidents: Sequence[Incident],
    now: datetime,
    hours: ServiceHours,
    reviews: Mapping[str, datetime] | None = None,
) -> list[Finding]:
    """What each incident asks for and by when: an answer, words to consumers, a review.

    A P1 is answered and told at once and reviewed 48 real hours after it was resolved, weekends
    and clock changes or not; a P2 is answered in business hours, a P3 by the next business day.

    Parameters
    ----------
    now : datetime
        UTC; what is due later is `ok`, what is past and not done `fail`.
    reviews : mapping, optional
        Incident -> when its review was written; None: no record is kept, so it is unknown.
    """
    return [
        finding
        for incident in incidents
        if incident.severity is not None
        and incident.detected_at is not None
        and incident.detected_at <= now
        for finding in _due(incident, now, hours, reviews)
    ]


def _due(
    incident: Incident, now: datetime, hours: ServiceHours, reviews: Mapping[str, datetime] | None
) -> Iterator[Finding]:
    flow, table, level = load(), _severities(), str(incident.severity)
    assert incident.detected_at is not None  # `due_list` leaves out what nobody noticed
    answer = severity.respond_by(level, incident.detected_at, hours, table)  # type: ignore[arg-type]
    done = incident.acknowledged_at or incident.resolved_at
    recorded = incident.acknowledged_at is not None or incident.resolved_at is None
    yield _judged(f"{incident.id}: answer, {level}", answer, done, now, hours, recorded)
    if level != "P1":
        return
    if incident.resolved_at is None:
        passed = max(now - incident.detected_at, timedelta(0))
        every = flow.clocks["update"].within
        yield Finding(
            f"{incident.id}: word to consumers",
            "warn",
            f"every {span(every)}, the {passed // every + 1}. is due at "
            f"{_local(incident.detected_at + (passed // every + 1) * every, hours)}",
            "Tell them which days are bad and when you write again",
        )
    else:
        by = incident.resolved_at + flow.clocks["review"].within
        written = (reviews or {}).get(incident.id)
        yield _judged(f"{incident.id}: review", by, written, now, hours, reviews is not None)


def _judged(
    subject: str,
    by: datetime,
    done: datetime | None,
    now: datetime,
    hours: ServiceHours,
    recorded: bool,
) -> Finding:
    """Done in time, done late, open, overdue, or without any record."""
    there = by.astimezone(ZoneInfo(hours.zone))
    weekend = "" if there.weekday() < 5 else ", on a weekend: write it before"
    status: Status
    if not recorded:
        status, evidence, step = "unknown", "no record of it", "Record when it was done"
    elif done is not None and done <= now:
        late = done - by
        status = "ok" if late <= timedelta(0) else "warn"
        evidence = "done in time" if status == "ok" else f"done {span(late)} late"
        step = "Nothing to do" if status == "ok" else "Ask what held it up"
        weekend = ""
    elif by <= now:
        status, evidence, step = "fail", f"overdue by {span(now - by)}", "Name somebody who does it"
    else:
        status, evidence, step = "ok", f"{span(by - now)} left", "Nothing to do yet"
    numbers = {"due_at": by.isoformat(), "done_at": done.isoformat() if done else None}
    return Finding(subject, status, f"due {_local(by, hours)}{weekend}: {evidence}", step, numbers)


def _local(moment: datetime, hours: ServiceHours) -> str:
    return f"{moment.astimezone(ZoneInfo(hours.zone)):%Y-%m-%d %H:%M %Z}"
