"""Action items of a team: read from its file, due and overdue, and out as tickets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime

from dataops_lib.errors import Problem, TeamError
from dataops_lib.incidents.postmortem import Action

# column -> (whether each row needs it, what it holds)
COLUMNS = {
    "incident": (True, "text"),
    "action": (True, "text"),
    "owner": (True, "text"),
    "due": (True, "date"),
    "closed": (False, "date"),
    "factor": (False, "text"),
}
TICKET = ("summary", "description", "assignee", "due_date", "labels", "status")
_FIX = "data/README.md shows the form of each column"


def loads(text: str, file: str = "actions.csv") -> tuple[Action, ...]:
    """The action items of a team, in the order of its file.

    Raises
    ------
    TeamError
        With every mistake of the file: file, line, column, what is wrong.

    Examples
    --------
    >>> loads("incident,action,owner,due\\nmonday,Count files,data lead,2013-02-26\\n")[0].due
    datetime.date(2013, 2, 26)
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=None), strict=True)
    try:
        names = list(reader.fieldnames or ())
    except csv.Error as error:
        raise TeamError([Problem(file, 1, "", f"is not CSV: {error}", "quote texts")]) from None
    problems = [
        Problem(file, 1, name, "is missing", f"the first line names: {', '.join(COLUMNS)}")
        for name, (needed, _) in COLUMNS.items()
        if needed and name not in names
    ]
    problems += [
        Problem(file, 1, name, "is not a known column", f"one of {', '.join(COLUMNS)}")
        for name in names
        if name not in COLUMNS
    ]
    actions = []
    try:
        for row in reader if not problems else ():
            before = len(problems)
            cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
            for name, (needed, kind) in COLUMNS.items():
                if not cells[name] and needed:
                    problems.append(Problem(file, reader.line_num, name, "is empty", _FIX))
                elif cells[name] and kind == "date" and _day(cells[name]) is None:
                    message = f"is {cells[name][:40]!r}, but a date looks like 2013-02-26"
                    problems.append(Problem(file, reader.line_num, name, message, _FIX))
            due = _day(cells["due"])
            if len(problems) == before and due is not None:
                rest = (_day(cells["closed"]), cells["factor"])
                action = Action(cells["incident"], cells["action"], cells["owner"], due, *rest)
                actions.append(action)
    except csv.Error as error:
        problems.append(Problem(file, reader.line_num, "", f"is not CSV: {error}", "quote texts"))
    if problems:
        raise TeamError(problems)
    return tuple(actions)


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  a date has no zone
    except ValueError:
        return None


def open_at(actions: Sequence[Action], as_of: date) -> list[Action]:
    """Actions that are not closed at `as_of`, the longest overdue first."""
    waiting = [action for action in actions if action.closed is None or action.closed >= as_of]
    return sorted(waiting, key=lambda action: (action.due, action.incident, action.text))


def tickets(actions: Sequence[Action], as_of: date) -> str:
    """Action items as CSV that a tracker imports; text cannot become a formula of a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(TICKET)
    for action in actions:
        done = action.closed is not None and action.closed < as_of
        about = f"From the postmortem of {action.incident}."
        if action.factor:
            about += f" Contributing factor: {action.factor}."
        status = "done" if done else "overdue" if action.due < as_of else "open"
        labels = "postmortem" + (f" {action.factor.replace(' ', '-')}" if action.factor else "")
        cells = (action.text, about, action.owner, action.due.isoformat(), labels, status)
        writer.writerow([f"'{cell}" if cell[:1] in "=+-@\t" else cell for cell in cells])
    return out.getvalue()
