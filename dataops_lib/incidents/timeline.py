"""What others recorded about an incident: deploys, a chat export, milestones that people mark."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from dataops_lib.errors import UsageError
from dataops_lib.incidents.incident import Incident
from dataops_lib.incidents.postmortem import Mark, Row
from dataops_lib.teams.git_log import Commit
from dataops_lib.teams.models import Person

BEFORE = timedelta(hours=24)  # deploys so long before an incident may have led to it
MARKS: tuple[Mark, ...] = get_args(Mark)
_MARKED = re.compile(rf"#({'|'.join(MARKS)})\b", re.I)
_ZONED = "write an offset, or Z for UTC: 2013-02-19T06:20Z"


def deploys(commits: Iterable[Commit], incident: Incident) -> tuple[Row, ...]:
    """Commits from 24 hours before an incident began until it was over; merges are left out."""
    end = incident.resolved_at or incident.until
    return tuple(
        Row(commit.at.astimezone(UTC), f"Deployed: {commit.subject}", f"commit {commit.id[:8]}")
        for commit in commits
        if incident.started_at - BEFORE <= commit.at < end and not commit.merges
    )


def chat(text: str, people: Sequence[Person] = (), file: str = "chat") -> tuple[Row, ...]:
    """Messages of a chat export, names replaced by roles; `#diagnosed` and the like mark a row.

    Parameters
    ----------
    text
        A Slack export (a JSON list of messages with `ts` and `text`), or CSV with the columns
        `at` (ISO, with offset) and `text`; more columns are left out.
    people
        The roster; a name becomes "the <role>".

    Raises
    ------
    UsageError
        With the line or number of the message that cannot be read, and how to write it.

    Examples
    --------
    >>> chat("at,text\\n2013-02-19T06:20Z,Column type changed #diagnosed\\n")[0].mark
    'diagnosed'
    """
    rows = []
    for place, at, words in _messages(text, file):
        for person in people:
            words = re.sub(rf"\b{re.escape(person.name)}\b", f"the {person.role}", words)
        named = _MARKED.search(words)
        mark = next((m for m in MARKS if named and m == named[1].lower()), None)
        rows.append(Row(at, _MARKED.sub("", words).strip() or str(mark), place, mark))
    return tuple(rows)


def _messages(text: str, file: str) -> Iterator[tuple[str, datetime, str]]:
    if text.lstrip().startswith(("[", "{")):
        yield from _slack(text, file)
        return
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=None))
    try:
        if not {"at", "text"} <= set(reader.fieldnames or ()):
            raise UsageError(f"{file}:1: has no columns at and text. Fix: name them in line 1")
        for row in reader:
            place = f"{file}:{reader.line_num}"
            at = moment(row["at"] or "", place)
            yield f"chat, {file} line {reader.line_num}", at, row["text"] or ""
    except csv.Error as error:
        raise UsageError(f"{file}:{reader.line_num}: is not CSV: {error}") from None


def _slack(text: str, file: str) -> Iterator[tuple[str, datetime, str]]:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: is not JSON: {error}. Fix: export the channel again") from None
    listed = found.get("messages", []) if isinstance(found, dict) else found
    for number, message in enumerate(listed if isinstance(listed, list) else [], 1):
        if not isinstance(message, dict) or message.get("subtype"):
            continue  # joined, left, renamed: nothing that was said
        try:
            at = datetime.fromtimestamp(float(message["ts"]), UTC)
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            raise UsageError(f"{file}: message {number} has no time `ts` in seconds") from None
        yield f"chat, message {number}", at, str(message.get("text") or "")


def marked(words: Iterable[str]) -> tuple[Row, ...]:
    """Milestones that somebody names: `diagnosed=2013-02-19T06:20Z`.

    Examples
    --------
    >>> marked(["verified=2013-02-19T07:10+00:00"])[0].event
    'Verified, as people remember it'
    """
    rows = []
    for word in words:
        name, _, at = word.partition("=")
        mark = next((m for m in MARKS if m == name.strip().lower()), None)
        if mark is None:
            raise UsageError(
                f"{word!r} marks nothing; write one of {', '.join(MARKS)}, = and a time"
            )
        text = f"{mark.capitalize()}, as people remember it"
        rows.append(Row(moment(at, word), text, "people", mark))
    return tuple(rows)


def moment(text: str, place: str) -> datetime:
    """A UTC time from ISO text with an offset; UsageError with the place where it stands."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{place}: {text[:40]!r} is not a time. Fix: {_ZONED}") from None
    if at.tzinfo is None:
        raise UsageError(f"{place}: {text!r} is a time without zone. Fix: {_ZONED}")
    return at.astimezone(UTC)


def within(rows: Iterable[Row], incident: Incident) -> tuple[Row, ...]:
    """Rows from 24 hours before the incident to 48 hours after it was over, once each."""
    end = (incident.resolved_at or incident.until) + 2 * BEFORE
    kept = [row for row in rows if incident.started_at - BEFORE <= row.at <= end]
    return tuple(dict.fromkeys(sorted(kept, key=lambda row: row.at)))
