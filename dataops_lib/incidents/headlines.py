"""Incidents and postmortems in sentences and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib.incidents import postmortem, postmortem_lint
from dataops_lib.incidents.causes import Causes
from dataops_lib.incidents.incident import DetectedBy, Incident
from dataops_lib.incidents.postmortem import Mark, Row
from dataops_lib.wording import day, span, titled

# What the rows of the article's timeline stand for, in their order.
MARKS: tuple[Mark, ...] = ("detected", "acknowledged", "diagnosed", "repaired", "verified")


def milestones(rows: Iterable[Row]) -> pd.DataFrame:
    """Time from detection to each milestone of a timeline."""
    taken = postmortem.milestones(rows)
    said = [(mark, span(after)) for mark, after in taken.items()]
    order = sorted(said, key=lambda row: MARKS.index(row[0]))
    return titled(pd.DataFrame(order, columns=["milestone", "after detection"]))


def incidents(events: Iterable[Incident], zone: str) -> pd.DataFrame:
    """Incidents as a table, oldest first; times are local."""
    rows = []
    for one in events:
        due = pd.Timestamp(one.due_at).tz_convert(zone)
        waited = span(one.lasted)
        rows.append(
            (
                f"{due:%Y-%m-%d %H:%M}",
                one.kind,
                one.severity or "none",
                one.detected_by or ("nobody yet" if one.alerts_logged else "not known"),
                waited if one.resolved_at else f"{waited}, still open",
                one.planted or "no",
            )
        )
    names = ["was due", "kind", "severity", "found by", "readers waited", "planted fault"]
    return titled(pd.DataFrame(rows, columns=names))


def worst(incidents: Iterable[Incident]) -> Incident:
    """The one to write about: the highest severity, blocked before others, then the longest."""
    return min(
        incidents,
        key=lambda incident: (
            incident.severity or "P9",
            incident.kind != "blocked",
            -incident.lasted,
        ),
    )


def before(incident: Incident, incidents: Iterable[Incident]) -> list[Incident]:
    """Earlier incidents that the same check stopped."""
    checks = {finding.subject for finding in incident.findings}
    return [
        earlier
        for earlier in incidents
        if earlier.due_at < incident.due_at
        and checks & {finding.subject for finding in earlier.findings}
    ]


def problems(
    text: str, *rules: str, context: postmortem_lint.Context | None = None
) -> pd.DataFrame:
    """What the lint finds in `text`, with the line it is about; only `rules` if any are given."""
    lines = text.splitlines()
    rows = [
        (weakness.rule, _shortened(lines[weakness.line - 1]), weakness.message, weakness.fix)
        for weakness in postmortem_lint.lint(text, context)
        if not rules or weakness.rule in rules
    ]
    names = ["rule", "the text says", "what is wrong", "how to write it"]
    return titled(pd.DataFrame(rows, columns=names))


def _shortened(line: str, most: int = 60) -> str:
    words = line.strip("|#- ").replace(" | ", " · ")
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def document(text: str) -> str:
    """A Markdown text to be shown inside another one: quoted, its headings two levels down."""
    lines = (f"##{line}" if line.startswith("#") else line for line in text.splitlines())
    return "\n".join(f"> {line}" for line in lines)


def unwritten(text: str) -> Mapping[str, int]:
    """How many lines of each section wait for people, in the order of the text."""
    sections, here = {}, ""
    for number, line in enumerate(text.splitlines(), 1):
        here = line.removeprefix("## ") if line.startswith("## ") else here
        sections[number] = here
    counted: dict[str, int] = {}
    for weakness in postmortem_lint.lint(text):
        if weakness.rule == "PM16":
            counted[sections[weakness.line]] = counted.get(sections[weakness.line], 0) + 1
    return counted


def escalation(repaired: timedelta, limit: timedelta) -> str:
    """Whether an incident should have been escalated before it was repaired."""
    if repaired <= limit:
        return f"Repaired after {span(repaired)}, within the {span(limit)} before escalation."
    return (
        f"Repaired after {span(repaired)}. Escalation was due after {span(limit)}, and no row of "
        "the timeline says that anybody escalated."
    )


def incident(event: Incident) -> str:
    """How long readers waited, and who found it when."""
    waited = f"Readers waited {span(event.lasted)}{'' if event.resolved_at else ' and wait still'}"
    return f"{waited}; {detection(event)}"


def detection(incident: Incident) -> str:
    """Who noticed, and when, as far as audits and the alert log tell."""
    if incident.detected_by is not None and incident.undetected is not None:
        return f"{FOUND_BY[incident.detected_by]} after {span(incident.undetected)}"
    nobody = "no alert is on record" if incident.alerts_logged else "who noticed is not known"
    if incident.late_at is None:
        return nobody
    return f"{nobody}, its SLO was passed after {span(incident.late_at - incident.due_at)}"


FOUND_BY: Mapping[DetectedBy, str] = {
    "audit": "found by the audit",
    "alert": "found by an alert",
    "consumer": "read by a consumer before any alert",
}


def chosen(team: str, used: str, event: Incident, zone: str) -> str:
    """Whose incident is written about, and which."""
    other = "" if team == used else f"Team {team} has no incident on record. "
    when = event.due_at.astimezone(ZoneInfo(zone))
    tables = ", ".join(event.tables)
    planted = f" Planted for practice: {event.planted}." if event.planted else ""
    return (
        f"{other}Incident of team {used}, due {day(when)} at {when:%H:%M}: {tables}. "
        f"{incident(event)}.{planted}"
    )


def to_write(places: Mapping[str, int]) -> str:
    """How much of a draft waits for people, by section."""
    parts = ", ".join(f"{count} in {section}" for section, count in places.items())
    return (
        f"{sum(places.values())} places wait for people: {parts}." if places else "Nothing waits."
    )


def came_before(earlier: Sequence[Incident]) -> str:
    """Whether the same check has stopped this before."""
    if not earlier:
        return "No earlier incident was stopped by the same check."
    days = ", ".join(day(incident.due_at) for incident in earlier)
    return f"Stopped by the same check before: {len(earlier)} ({days}). Read that review first."


def causes(named: Causes) -> str:
    """How many branches a postmortem has, and how many whys are answered."""
    whys = sum(len(branch.whys) for branch in named.branches)
    if not whys:
        return "Nobody has named a cause yet"
    count = len(named.branches)
    single = " only: look for another one" if count == 1 else "es"
    return f"{named.answered} of {whys} whys answered, on {count} branch{single}"


def actions(waiting: Sequence[postmortem.Action], as_of: date) -> pd.DataFrame:
    """Action items that are not closed, the longest overdue first."""
    rows = [
        (
            action.text,
            action.owner,
            f"{action.due}",
            f"{(as_of - action.due).days} days" if action.due < as_of else "no",
            action.incident,
        )
        for action in waiting
    ]
    names = ["action", "owner", "due", "overdue", "incident"]
    return titled(pd.DataFrame(rows, columns=names))
