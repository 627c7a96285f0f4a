"""A rota as a calendar, and rotas from iCal, PagerDuty and GoAlert."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib.errors import Problem, TeamError
from dataops_lib.teams import history
from dataops_lib.teams.history import ROLES, ROTA

PRODUCT = "-//dataops//rota//EN"
DOMAIN = "rota.dataops"
LEVELS = dict(enumerate(ROLES, 1))  # PagerDuty counts the levels of an escalation policy from 1

# "primary: Ana", "On-Call Shift: Ana" (GoAlert), "On Call - Ana - Data primary" (PagerDuty)
_SUMMARY = re.compile(
    r"^(?P<what>on-?\s?call(?: shift)?|[\w ]+?)\s*(?::|\s[-–]\s)\s*(?P<name>.+?)(?:\s[-–]\s.*)?$",
    re.IGNORECASE,
)


def dumps(rota: pd.DataFrame, team: str, made_at: datetime) -> str:
    """A rota as an iCal text: one event a shift, in UTC, with a UID that stays.

    The UID depends on team, role and start: a shift that changes hands is the same event with
    another name, and calendars move it instead of showing two.

    Parameters
    ----------
    rota : DataFrame
        Columns of rota.csv.
    made_at : datetime
        UTC; when the calendar was written.
    """
    import icalendar

    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"On-call {team}")
    for row in rota.sort_values(["starts_at", "role", "person"]).to_dict("records"):
        start, role = row["starts_at"].to_pydatetime().astimezone(UTC), row["role"]
        several = f" {row['person']}" if role == "shadow" else ""  # several may look on at a time
        key = f"{team} {role} {start.isoformat()}{several}"
        event = icalendar.Event()
        event.add("uid", f"{hashlib.sha256(key.encode()).hexdigest()[:32]}@{DOMAIN}")
        event.add("dtstamp", made_at.astimezone(UTC))
        event.add("dtstart", start)
        event.add("dtend", row["ends_at"].to_pydatetime().astimezone(UTC))
        event.add("summary", f"{role}: {row['person']}")
        event.add("categories", [role])
        calendar.add_component(event)
    return str(calendar.to_ical().decode())


def loads(
    text: str, file: str, *, role: str = "primary", zone: str = "UTC", person: str | None = None
) -> pd.DataFrame:
    """A rota from a calendar or an export: iCal, PagerDuty (schedule, on-calls) or GoAlert (JSON).

    Parameters
    ----------
    role : str
        Of shifts that do not say theirs.
    zone : str
        Of events that name days or local times without a zone.
    person : str, optional
        Of events that name nobody, such as a GoAlert subscription of your own.

    Raises
    ------
    TeamError
        With every entry that names nobody, has no end, or cannot be read.

    Examples
    --------
    >>> entry = '{"start": "2026-01-05T09:00:00Z", "end": "2026-01-12T09:00:00Z", "user": %s}'
    >>> ana = entry % '{"summary": "Ana"}'
    >>> export = '{"schedule": {"final_schedule": {"rendered_schedule_entries": [%s]}}}' % ana
    >>> loads(export, "pagerduty.json").person[0]
    'Ana'
    """
    is_json = text.lstrip().startswith(("{", "["))
    entries = _json_entries(text, file) if is_json else _ical_entries(text, file, zone)
    rows: list[dict[str, Any]] = []
    problems = []
    for number, (entry, at) in enumerate(entries, 1):
        row = {"role": role, "person": person} | {k: v for k, v in entry.items() if v is not None}
        fix = "correct the entry in the tool that wrote it, or pass `person`"
        if not row["person"]:
            problems.append(Problem(file, at, f"entry {number}", "names nobody", fix))
        elif row.get("starts_at") is None or row.get("ends_at") is None:
            problems.append(Problem(file, at, f"entry {number}", "has no start or no end", fix))
        elif row["ends_at"] <= row["starts_at"]:
            problems.append(Problem(file, at, f"entry {number}", "ends before it begins", fix))
        else:
            rows.append(row)
    if problems:
        raise TeamError(problems)
    frame = history.frame(rows, ROTA).drop_duplicates()
    return frame.sort_values(["starts_at", "role", "person"]).reset_index(drop=True)


Entry = tuple[dict[str, Any], int | None]


def _ical_entries(text: str, file: str, zone: str) -> Iterator[Entry]:
    import icalendar

    try:
        calendar = icalendar.Calendar.from_ical(text)
        events = list(calendar.walk("VEVENT"))
    except (ValueError, IndexError, KeyError) as error:
        fix = "export it again as .ics, or as JSON"
        message = f"cannot be read as iCal ({str(error)[:80]})"
        raise TeamError([Problem(file, None, "", message, fix)]) from None
    for event in events:
        if event.get("rrule") is not None:
            fix = "export single events: PagerDuty and GoAlert do"
            message = "has an event that repeats, and a rota lists each shift"
            raise TeamError([Problem(file, None, "rrule", message, fix)])
        start, end = (_moment(event.get(key), zone) for key in ("dtstart", "dtend"))
        match = _SUMMARY.match(str(event.get("summary", "")).strip())
        entry: dict[str, Any] = {"starts_at": start, "ends_at": end}
        if match:
            entry["person"] = match["name"].strip()
            what = match["what"].strip().lower()
            if what in ROLES:
                entry["role"] = what
        yield entry, None


def _moment(value: Any, zone: str) -> datetime | None:
    """A time of an event as UTC; a day begins at its midnight in `zone`."""
    if value is None:
        return None
    at: date = value.dt
    if isinstance(at, date) and not isinstance(at, datetime):
        return datetime.combine(at, time(0), ZoneInfo(zone)).astimezone(UTC)
    aware = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))
    return aware.astimezone(UTC)


def _json_entries(text: str, file: str) -> Iterator[Entry]:
    fix = "give the answer of PagerDuty's /schedules/ID or /oncalls, or GoAlert's schedule.shifts"
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        problem = Problem(file, line, "", "is not JSON", "export it again")
        raise TeamError([problem]) from None
    found = _listed(data)
    if found is None:
        raise TeamError([Problem(file, None, "", "is no export that we know", fix)])
    for one in found:
        if not isinstance(one, Mapping):
            raise TeamError([Problem(file, None, "", "holds an entry that is no mapping", fix)])
        who = one.get("user") or {}
        name = who.get("summary") or who.get("name") if isinstance(who, Mapping) else None
        yield (
            {
                "starts_at": _time(one.get("start"), file),
                "ends_at": _time(one.get("end"), file),
                "person": name,
                "role": LEVELS.get(one.get("escalation_level", 0)),
            },
            None,
        )


def _listed(data: Any) -> list[Any] | None:
    """The shifts of an export, wherever the tool keeps them."""
    if isinstance(data, list):
        return data
    for path in (
        ("schedule", "final_schedule", "rendered_schedule_entries"),  # PagerDuty, /schedules/ID
        ("oncalls",),  # PagerDuty, /oncalls
        ("data", "schedule", "shifts"),  # GoAlert, GraphQL
        ("shifts",),
    ):
        here = data
        for key in path:
            here = here.get(key) if isinstance(here, Mapping) else None
        if isinstance(here, list):
            return here
    return None


def _time(text: Any, file: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        fix = "write it as 2026-01-05T09:00:00Z"
        message = f"has the time {str(text)[:40]!r} without a zone, or none at all"
        raise TeamError([Problem(file, None, "start", message, fix)])
    return moment.astimezone(UTC)
