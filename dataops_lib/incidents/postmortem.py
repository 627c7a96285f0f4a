"""A postmortem's computed half as a draft, and what becomes of its action items."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from dataops_lib import wording
from dataops_lib.finding import Finding, Status
from dataops_lib.incidents.incident import Incident
from dataops_lib.incidents.postmortem_lint import REVIEW_WITHIN
from dataops_lib.incidents.postmortem_lint import Context as Context
from dataops_lib.incidents.postmortem_lint import lint as lint
from dataops_lib.teams.models import Consumer, Person

Mark = Literal["detected", "acknowledged", "diagnosed", "repaired", "verified"]

# Nothing in a table cell may end it, start a link or an image, or become HTML.
_ESCAPES = str.maketrans(
    {c: f"\\{c}" for c in "\\|`*[]"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)

_BRANCHES = (
    "What made it possible?",
    "What hid it, or let it reach people?",
    "What made recovery slow?",
)


class Team(Protocol):
    """What a draft needs to know about a team; `teams.Team` has it."""

    @property
    def zone(self) -> str:
        """Zone in which times are shown."""

    @property
    def people(self) -> tuple[Person, ...]:
        """The roster: names are kept out of the draft, roles may own actions."""

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """Who reads which table when."""

    def downstream(self, name: str) -> tuple[str, ...]:
        """Tables built from the table `name`, directly or not."""


@dataclass(frozen=True)
class Row:
    """One row of a timeline: a UTC time, what happened, where that stands; `mark` a milestone."""

    at: datetime
    event: str
    source: str
    mark: Mark | None = None


def milestones(rows: Iterable[Row]) -> dict[Mark, timedelta]:
    """Time from the first row marked `detected` to the first row of each other mark it has.

    TTA, TTD, TTR and TTV are those of acknowledged, diagnosed, repaired and verified; one that is
    not there is not known.

    Examples
    --------
    >>> six = datetime(2026, 4, 19, 6, tzinfo=UTC)
    >>> patched = Row(six + timedelta(minutes=45), "patched", "deploy log", "repaired")
    >>> milestones([Row(six, "alert", "alert log", "detected"), patched])
    {'repaired': datetime.timedelta(seconds=2700)}
    """
    marked = sorted(((row.at, row.mark) for row in rows if row.mark), reverse=True)
    first = {mark: at for at, mark in marked}  # the earliest comes last and stays
    start = first.pop("detected", None)
    return {mark: at - start for mark, at in first.items()} if start else {}


def duration(start: datetime, end: datetime, zone: str) -> str:
    """Start, end and the time between them, in local time with its offset.

    The span is the time that really passed: over a night in which clocks change it differs from
    what the two clock readings suggest.

    Examples
    --------
    >>> start = datetime(2013, 3, 10, 6, 30, tzinfo=UTC)
    >>> duration(start, start + timedelta(hours=1), "America/New_York")
    '2013-03-10T01:30-05:00 - 2013-03-10T03:30-04:00 (1 hour)'
    """
    start, end = (moment.replace(second=0, microsecond=0) for moment in (start, end))
    lasted = wording.span(end.astimezone(UTC) - start.astimezone(UTC))
    return f"{_local(start, zone)} - {_local(end, zone)} ({lasted})"


def _local(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")


def timeline(incident: Incident) -> tuple[Row, ...]:
    """What the records tell about an incident, in order, beginning before its detection."""
    return tuple(sorted(dict.fromkeys(_rows(incident)), key=lambda row: row.at))


def _rows(incident: Incident) -> Iterator[Row]:
    """Rows in the order in which they are told when they happened in the same moment."""
    if incident.last_good_at:
        yield Row(incident.last_good_at, "Last publication before the incident", "run history")
    for due_at in sorted({d.due_at for d in incident.disturbances}):
        tables = ", ".join(d.table for d in incident.disturbances if d.due_at == due_at)
        yield Row(due_at, f"Due: {tables}", "schedule")
    tried = [a for d in incident.disturbances for a in d.attempts]
    for run_id in incident.runs:
        starts = [(a.started_at, a.trigger) for a in tried if a.run_id == run_id and a.started_at]
        if starts:
            yield Row(min(starts)[0], f"Run starts, {min(starts)[1]}", run_id)
    for n, sign in enumerate(incident.signs):
        yield Row(sign.at, sign.text, sign.source, "detected" if n == 0 else None)
    if incident.acknowledged_at:
        yield Row(incident.acknowledged_at, "Alert acknowledged", "alert log", "acknowledged")
    for a in tried:
        rows = "" if a.rows is None else f", {a.rows:,} row{'' if a.rows == 1 else 's'}"
        if a.published_at:
            yield Row(a.published_at, f"{a.table} published{rows}", a.run_id)
        elif a.finished_at and a.status != "blocked":  # a blocked run has the row of its audit
            yield Row(a.finished_at, f"{a.table} {a.status}", a.run_id)
    if incident.resolved_at:
        text = "All tables current again"
        yield Row(incident.resolved_at, text, "run history", "repaired")


def draft(
    incident: Incident,
    team: Team,
    *,
    budget_used: Mapping[str, float] | None = None,
    more: Sequence[Row] = (),
) -> str:
    """A postmortem in the article's sections with everything computed that can be.

    Causes are never written and people never named: what only people know stands as a visible
    `[to write: ...]`, which `lint` finds (PM16) until it is done.

    Parameters
    ----------
    budget_used
        Table -> share of its error budget that this incident spent, a ratio; may exceed 1.
    more
        Rows of a deploy log or a chat, as `incidents.timeline` reads them; they join the timeline.

    Returns
    -------
    str
        Markdown, the same for the same input; text from logs is escaped.
    """
    day = incident.due_at.astimezone(ZoneInfo(team.zone)).date()
    rows = sorted({**dict.fromkeys(timeline(incident)), **dict.fromkeys(more)}, key=_when)

    def safe(text: str) -> str:
        return _safe(text, team.people)

    lines = [
        f"# Incident Postmortem: {safe(incident.pipeline)} {day}",
        "",
        "Draft: times and numbers were computed from records; what only people know says so.",
        *([f"Planted for practice: {safe(incident.planted)}."] if incident.planted else []),
        "",
        "## Summary",
        "",
        f"- Severity: {safe(incident.severity or 'none by the rules')}",
        f"- Duration: {_duration(incident, team.zone)}",
        f"- Affected scope: {safe(_scope(incident, team))}",
        "- Root cause: [to write: one line on conditions, never a person]",
        f"- Review due: {_review(incident, team.zone)}",
        "",
        "### Impact in numbers",
        "",
        "| Measure | Value |",
        "|---|---|",
        *(f"| {name} | {safe(value)} |" for name, value in _impact(incident, budget_used, rows)),
        "",
        "## Timeline",
        "",
        f"Times are local, {team.zone}, with their offset from UTC.",
        "",
        "| Time | Event | Source |",
        "|---|---|---|",
        *(
            f"| {_local(row.at, team.zone)} | {safe(row.event)} | {safe(row.source)} |"
            for row in rows
        ),
        "",
        *_to_write(incident, team),
    ]
    return "\n".join(lines) + "\n"


def _when(row: Row) -> datetime:
    return row.at


def _safe(text: str, people: Sequence[Person]) -> str:
    """Text of others as harmless Markdown on one line, with roles in place of names."""
    for person in people:
        role = f"the {person.role}".replace("\\", r"\\")  # text of people, no reference to a group
        text = re.sub(rf"\b{re.escape(person.name)}\b", role, text)
    return " ".join(text.split()).translate(_ESCAPES)


def _duration(incident: Incident, zone: str) -> str:
    if incident.resolved_at:
        return duration(incident.due_at, incident.resolved_at, zone)
    since = _local(incident.due_at, zone)
    return f"since {since}, not resolved at {_local(incident.until, zone)}"


def _review(incident: Incident, zone: str) -> str:
    if incident.severity != "P1" or incident.resolved_at is None:
        return "48 hours after resolution" if incident.severity == "P1" else "by choice, below P1"
    return f"{_local(incident.resolved_at + REVIEW_WITHIN, zone)}, 48 hours after resolution"


def _scope(incident: Incident, team: Team) -> str:
    built = dict.fromkeys(t for table in incident.tables for t in team.downstream(table))
    behind = [table for table in built if table not in incident.tables]
    touched = {*incident.tables, *behind}
    readers = dict.fromkeys(c.name for c in team.consumers if c.table in touched)
    parts = [("tables", incident.tables), ("built from them", behind), ("read by", list(readers))]
    return "; ".join(f"{name} {', '.join(found)}" for name, found in parts if found)


def _impact(
    incident: Incident, budget_used: Mapping[str, float] | None, rows: Sequence[Row]
) -> Iterator[tuple[str, str]]:
    readers = Counter(sign.source for sign in incident.signs if sign.by == "consumer")
    stale = (f"{t} {incident.stale(t) // timedelta(minutes=1):,}" for t in incident.tables)
    used = budget_used or {}
    yield "Tables", str(len(incident.tables))
    yield (
        "Rows that came late",
        "not known" if incident.rows_late is None else f"{incident.rows_late:,}",
    )
    yield "Minutes stale", "; ".join(stale)
    yield "Limit of the SLO", "passed" if incident.slo_missed else "kept"
    yield "Limit of the SLA", "passed" if incident.sla_breached else "kept"
    yield (
        "Error budget used",
        "; ".join(f"{t} {used[t]:.0%}" if t in used else f"{t} not known" for t in incident.tables),
    )
    yield "Reads of stale data", "; ".join(f"{who}: {n}" for who, n in readers.items()) or "0"
    yield "Found by", incident.detected_by or _nobody(incident)
    if incident.undetected is not None:
        yield "Time until detected", wording.span(incident.undetected)
    elif incident.late_at is not None:
        warned = wording.span(incident.late_at - incident.due_at)
        yield "Time until detected", f"{warned} where the SLO's own alert was heard"
    took = milestones(rows)
    marks: tuple[Mark, ...] = ("acknowledged", "diagnosed", "repaired", "verified")
    for mark in marks:
        after = took.get(mark)
        early = after is not None and after < timedelta(0)
        known = "before it was detected" if early else wording.span(after or timedelta(0))
        yield f"Time until {mark}", "not known" if after is None else known
    if incident.gaps:
        yield "Loads still missing", str(len(incident.gaps))


def _nobody(incident: Incident) -> str:
    return "nobody on record" if incident.alerts_logged else "not known: no alerts are logged"


def _to_write(incident: Incident, team: Team) -> Iterator[str]:
    """The sections that people write, with what was found as their starting point."""
    yield from ("## Root Cause Analysis (5-Why)", "")
    found = Counter(f"{finding.subject}, {finding.evidence}" for finding in incident.findings)
    for evidence, attempts in found.items():
        again = f" ({attempts} attempts)" if attempts > 1 else ""
        yield f"- Found: {_safe(evidence, team.people)}{again}"
    if found:
        yield ""
    yield "Five whys or more, on two branches or more; no chain ends in a person."
    for branch in _BRANCHES:
        yield from ("", f"### {branch}", "", "1. Why? [to write: what, and how it is known]")
    yield from (
        "",
        "### Contributing factors",
        "",
        "Two to five conditions, each a word to count by.",
        "",
    )
    yield from ("- [to write: a condition]", "- [to write: another one]")
    roles = ", ".join(sorted({person.role for person in team.people})) or "a role"
    yield from ("", "## Action Items", "")
    yield from ("| Action | Type | Owner | Deadline | Done when |", "|---|---|---|---|---|")
    owner = _safe(f"one of: {roles}", ())
    for kind in ("prevent", "detect", "mitigate"):
        cells = ("[to write: verb first]", kind, f"[to write: {owner}]", "[to write: date]")
        yield f"| {' | '.join(cells)} | [to write: how everybody sees it] |"
    yield from ("", "## Blameless Retrospective", "")
    for what in ("What went well", "What to improve", "Where we got lucky"):
        yield f"- {what}: [to write]"


@dataclass(frozen=True)
class Action:
    """An action item as a tracker knows it; `factor` is what contributed, for finding repeats."""

    incident: str
    text: str
    owner: str
    due: date
    closed: date | None = None
    factor: str = ""


def ledger(actions: Sequence[Action], as_of: date) -> Finding:
    """How many actions were closed by their date, and which factors came back.

    Of the actions due before `as_of`; more than one in five overdue is a fail: first finish
    what was decided. Unknown while none was due.
    """
    due = [action for action in actions if action.due < as_of]
    in_time = sum(a.closed is not None and a.closed <= a.due for a in due)
    overdue = [a for a in due if a.closed is None or a.closed >= as_of]
    seen: dict[str, set[str]] = {}
    for action in actions:
        if action.factor:
            seen.setdefault(action.factor, set()).add(action.incident)
    repeats = {factor: len(found) for factor, found in sorted(seen.items()) if len(found) > 1}
    numbers = {"due": len(due), "in_time": in_time, "overdue": len(overdue), "repeats": repeats}
    if not due:
        return Finding("actions", "unknown", "no action was due", "Give each a date", numbers)
    evidence = f"{in_time} of {len(due)} closed by their date, {len(overdue)} overdue"
    if repeats:
        evidence += f"; came back: {', '.join(repeats)}"
    share = len(overdue) / len(due)
    status: Status = "fail" if share > 0.2 else "warn" if overdue or repeats else "ok"
    step = "Finish overdue actions before new ones" if overdue else "Nothing to do"
    return Finding("actions", status, evidence, step, numbers)
