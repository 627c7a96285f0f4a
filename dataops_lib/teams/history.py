"""Run and alert histories: one documented table each, read from CSV text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from dataops_lib.errors import Problem, TeamError

RUN_STATUSES = ("published", "blocked", "failed", "skipped", "running")
TRIGGERS = ("scheduled", "rerun")
URGENCIES = ("page", "ticket")


@dataclass(frozen=True)
class Column:
    """One column of a history file."""

    name: str
    kind: str  # "text", "time" or "count"
    required: bool = True  # the column must be there
    filled: bool = True  # each row must have a value
    allowed: tuple[str, ...] = ()
    default: Any = None


RUNS = (
    Column("run_id", "text"),
    Column("pipeline", "text"),
    Column("table", "text"),
    Column("due_at", "time"),
    Column("started_at", "time", required=False, filled=False),
    Column("finished_at", "time", required=False, filled=False),
    Column("published_at", "time", required=False, filled=False),
    Column("status", "text", allowed=RUN_STATUSES),
    Column("rows", "count", required=False, filled=False),
    Column("trigger", "text", required=False, filled=False, allowed=TRIGGERS, default="scheduled"),
    Column("planted", "text", required=False, filled=False),
)

ALERTS = (
    Column("alerted_at", "time"),
    Column("name", "text"),
    Column("table", "text"),
    Column("due_at", "time", required=False, filled=False),
    Column("message", "text", required=False, filled=False),
    Column("urgency", "text", required=False, filled=False, allowed=URGENCIES, default="page"),
    Column("acknowledged_at", "time", required=False, filled=False),
    Column("action_taken", "text", required=False, filled=False, allowed=("yes", "no")),
    Column("cause", "text", required=False, filled=False),
    Column("planted", "text", required=False, filled=False),
)


def loads(text: str, columns: Sequence[Column], file: str) -> pd.DataFrame:
    """Read one history from CSV text into the named `columns`.

    Times need an offset or Z and come back as UTC; an empty cell is missing (NaT, <NA> or None).

    Raises
    ------
    TeamError
        With every mistake of the file: missing or unknown columns, times without a zone, unknown
        statuses, negative counts, rows with more cells than the first line names.

    Examples
    --------
    >>> text = "run_id,pipeline,table,due_at,status\\na,p,t,2013-01-02T06:00:00-05:00,published\\n"
    >>> loads(text, RUNS, "runs.csv").due_at[0].isoformat()
    '2013-01-02T11:00:00+00:00'
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        message = f"is not CSV: {error}"
        raise TeamError([Problem(file, reader.line_num, "", message, "quote texts")]) from None
    problems = _header_problems(reader.fieldnames or [], columns, file)
    values: list[dict[str, Any]] = []
    if not problems:
        for number, row in rows:
            values.append({})
            if None in row:
                fix = "quote texts that hold a comma"
                problems.append(Problem(file, number, "", "has more cells than columns", fix))
            for column in columns:
                try:
                    values[-1][column.name] = _value(row.get(column.name), column)
                except ValueError as error:
                    fix = "data/README.md shows the form of each column"
                    problems.append(Problem(file, number, column.name, str(error), fix))
    if problems:
        raise TeamError(problems)
    return frame(values, columns)


def _header_problems(names: Sequence[str], columns: Sequence[Column], file: str) -> list[Problem]:
    known = {column.name for column in columns}
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    missing = [column.name for column in columns if column.required and column.name not in names]
    fix = f"the first line names the columns: {', '.join(column.name for column in columns)}"
    problems = [Problem(file, 1, name, "is missing", fix) for name in missing]
    problems += [Problem(file, 1, name, "stands twice", "name each column once") for name in twice]
    return problems + [
        Problem(file, 1, str(name), "is not a known column", fix)
        for name in names
        if name not in known
    ]


def _value(text: str | None, column: Column) -> Any:
    text = (text or "").strip()
    if not text:
        if column.filled:
            raise ValueError("is empty")
        return column.default
    if column.allowed and text not in column.allowed:
        raise ValueError(f"is {text!r}, but must be one of {', '.join(column.allowed)}")
    return _READ[column.kind](text)


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"is {text!r}, but a time looks like 2013-02-10T06:30:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"is {text!r}, a time without zone; write the offset, or Z for UTC")
    if not 1970 <= moment.year < 2200:  # mistyped, and Python cannot shift the year 1 to UTC
        raise ValueError(f"is {text!r}, but the year must be between 1970 and 2199")
    return moment.astimezone(UTC)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"is {text[:40]!r}, but must be a whole number, 0 or more")
    return int(text)


_READ: dict[str, Callable[[str], Any]] = {"text": str, "time": _time, "count": _count}


def frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    """Rows as a table with the columns' types; what a row does not say is missing."""
    values = {column.name: [row.get(column.name) for row in rows] for column in columns}
    dtypes: dict[str, Any] = {"time": "datetime64[us, UTC]", "count": "Int64", "text": object}
    return pd.DataFrame(
        {
            column.name: pd.Series(values[column.name], dtype=dtypes[column.kind])
            for column in columns
        }
    )


def dumps(frame: pd.DataFrame, columns: Sequence[Column]) -> str:
    """Write a history as CSV text; `loads` gives the same frame back."""
    text = frame[[column.name for column in columns]].copy()
    for column in columns:
        if column.kind == "time":
            moments = pd.to_datetime(text[column.name], utc=True)
            text[column.name] = moments.map(
                lambda moment: moment.isoformat().replace("+00:00", "Z"), na_action="ignore"
            )
    return text.to_csv(index=False, lineterminator="\n")


def alerts_known_at(alerts: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    """The alerts that somebody had seen at `moment`; what became of them later is not known yet."""
    seen = alerts[alerts["alerted_at"] < moment].copy()
    later = seen["acknowledged_at"] >= moment
    seen.loc[later, "acknowledged_at"] = pd.NaT
    seen.loc[later, "action_taken"] = None
    return seen


def known_at(runs: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    """The history as somebody saw it at `moment`: nothing that started later, nothing finished.

    What was published by then stays published, also while the run still cleans up after itself.
    """
    begun = runs["started_at"].fillna(runs["due_at"])
    recorded = runs[(runs["due_at"] < moment) & (begun < moment)].copy()
    at_work = (recorded["finished_at"] >= moment) | (recorded["published_at"] >= moment)
    unpublished = at_work & ~(recorded["published_at"] < moment)
    recorded.loc[at_work, "finished_at"] = pd.NaT
    recorded.loc[unpublished, "published_at"] = pd.NaT
    recorded.loc[unpublished, "rows"] = pd.NA
    recorded.loc[unpublished, "status"] = "running"
    return recorded.reset_index(drop=True)


# The article's layers, in the order in which they are called; a shadow is called by nobody.
ROLES = ("primary", "secondary", "domain expert", "manager", "shadow")

ROTA = (  # columns of rota.csv: who was on call when
    Column("starts_at", "time"),
    Column("ends_at", "time"),
    Column("role", "text", allowed=ROLES),
    Column("person", "text"),
)
