"""Edge: incidents as a review looks at them: which one, what it cost, what its text still lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import pandas as pd

from dataops_lib import playbook, postmortem, spending
from dataops_lib.incident import Incident
from dataops_lib.observe import Observed
from dataops_lib.postmortem import Mark, Row
from dataops_lib.views import titled
from dataops_lib.windows import Window

# What the rows of the article's timeline stand for, in their order.
MARKS: tuple[Mark, ...] = ("detected", "acknowledged", "diagnosed", "repaired", "verified")


def article_example() -> str:
    """The article's example incident in its own template, in our words."""
    return playbook.text("article_postmortem.md")


def article_timeline(text: str) -> tuple[Row, ...]:
    """The five rows of the article's timeline; it names no zone, so they are read as UTC."""
    day = re.search(r"Duration: (\d{4}-\d\d-\d\d)", text)
    found = re.findall(r"^\| (\d\d:\d\d) \| (.+?) \|$", text, re.MULTILINE)
    assert day is not None
    return tuple(
        Row(datetime.fromisoformat(f"{day[1]}T{clock}").replace(tzinfo=UTC), event, "article", mark)
        for (clock, event), mark in zip(found, MARKS, strict=True)
    )


def milestones(rows: Iterable[Row]) -> pd.DataFrame:
    """Time from detection to each milestone of a timeline."""
    taken = postmortem.milestones(rows)
    said = [(mark, postmortem.hours_and_minutes(span)) for mark, span in taken.items()]
    order = sorted(said, key=lambda row: MARKS.index(row[0]))
    return titled(pd.DataFrame(order, columns=["milestone", "after detection"]))


def subject(observed: Observed, otherwise: Observed) -> Observed:
    """`observed` when its team had an incident, else `otherwise`."""
    return observed if observed.incidents else otherwise


def incidents(found: Iterable[Incident], zone: str) -> pd.DataFrame:
    """Incidents as a table, oldest first; times are local."""
    rows = []
    for one in found:
        due = pd.Timestamp(one.due_at).tz_convert(zone)
        lasted = (one.resolved_at or one.until) - one.due_at
        span = postmortem.hours_and_minutes(lasted)
        rows.append(
            (
                f"{due:%Y-%m-%d %H:%M}",
                one.kind,
                one.severity or "none",
                one.detected_by or "nobody yet",
                span if one.resolved_at else f"{span}, still open",
                one.planted or "no",
            )
        )
    names = ["was due", "kind", "severity", "found by", "readers waited", "planted fault"]
    return titled(pd.DataFrame(rows, columns=names))


def worst(found: Iterable[Incident]) -> Incident:
    """The one to write about: the highest severity, blocked before others, then the longest."""
    return min(
        found,
        key=lambda one: (
            one.severity or "P9",
            one.kind != "blocked",
            one.due_at - (one.resolved_at or one.until),
        ),
    )


def budget_used(observed: Observed, incident: Incident) -> dict[str, float]:
    """Share of each table's freshness budget that the incident spent; above 1 it took it all.

    Tables without a freshness SLO with a share, or without a measured budget, are left out.
    """
    used = {}
    end = incident.resolved_at or incident.until
    for account in spending.accounts(observed):
        slo = account.slo
        if slo.sli != "freshness" or slo.table not in incident.tables or not account.allowed > 0:
            continue
        window = Window(incident.due_at, end)
        measured = observed.freshness(slo.table, window, slo.objective)
        if measured is not None:
            used[slo.table] = (measured.total - measured.good) / account.allowed
    return used


def before(incident: Incident, found: Iterable[Incident]) -> list[Incident]:
    """Earlier incidents that the same check stopped."""
    checks = {finding.subject for finding in incident.findings}
    return [
        one
        for one in found
        if one.due_at < incident.due_at and checks & {finding.subject for finding in one.findings}
    ]


def context(observed: Observed) -> postmortem.Context:
    """What a lint may know of the team: its roster."""
    people = observed.team.people
    names = tuple(person.name for person in people)
    return postmortem.Context(names, tuple({person.role: None for person in people}))


def problems(text: str, *rules: str, context: postmortem.Context | None = None) -> pd.DataFrame:
    """What the lint finds in `text`, with the line it is about; only `rules` if any are given."""
    lines = text.splitlines()
    rows = [
        (one.rule, _shortened(lines[one.line - 1]), one.message, one.fix)
        for one in postmortem.lint(text, context)
        if not rules or one.rule in rules
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


def to_write(text: str) -> Mapping[str, int]:
    """How many lines of each section wait for people, in the order of the text."""
    sections, here = {}, ""
    for number, line in enumerate(text.splitlines(), 1):
        here = line.removeprefix("## ") if line.startswith("## ") else here
        sections[number] = here
    counted: dict[str, int] = {}
    for one in postmortem.lint(text):
        if one.rule == "PM16":
            counted[sections[one.line]] = counted.get(sections[one.line], 0) + 1
    return counted
