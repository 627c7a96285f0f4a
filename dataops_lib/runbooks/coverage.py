"""Which alerts a runbook answers, weighted by how often they paged."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataops_lib.finding import Finding, Status
from dataops_lib.runbooks.runbook import Runbook, read
from dataops_lib.runbooks.runbook_lint import Context, lint
from dataops_lib.teams import Team


@dataclass(frozen=True)
class Answer:
    """One alert: how often it paged, and the runbook that answers it, with its weaknesses."""

    alert: str
    pages: int
    runbook: str | None
    weaknesses: int = 0

    @property
    def passes(self) -> bool:
        """Whether a runbook answers it that has no weakness."""
        return self.runbook is not None and not self.weaknesses


def texts(folder: Path) -> dict[str, str]:
    """The runbooks of a team's folder: file name -> Markdown."""
    paths = sorted((folder / "runbooks").glob("*.md"))
    return {path.name: path.read_text(encoding="utf-8", errors="replace") for path in paths}


def pages(team: Team) -> Counter[str]:
    """How often each alert of the team's log paged somebody; an alert that never did counts 0."""
    if team.alerts is None:
        return Counter()
    counted: Counter[str] = Counter(dict.fromkeys(team.alerts["name"], 0))
    paging = team.alerts[team.alerts["urgency"].fillna("page") == "page"]
    counted.update(paging["name"])
    return counted


def context(
    team: Team, name: str | None = None, others: Mapping[str, str] | None = None
) -> Context:
    """What the lint may know of the team when it reads the runbook called `name`."""
    fired = tuple(sorted(pages(team)))
    books = [read(text) for file, text in (others or {}).items() if file != name]
    home = team.folder / "runbooks"
    return Context(
        people=tuple(person.name for person in team.people),
        roles=tuple(dict.fromkeys(person.role for person in team.people)),
        alerts=None if team.alerts is None else fired,
        answered=tuple(alert for alert in fired if any(b.response(alert) for b in books)),
        subjects=(*(t.name for t in team.tables), *(p.name for p in team.pipelines)),
        as_of=team.as_of,
        exists=lambda path: Path(os.path.normpath(home / path)).exists(),
    )


def answers(alerts: Mapping[str, int], books: Mapping[str, tuple[Runbook, int]]) -> list[Answer]:
    """For each alert the first runbook that answers it; the most frequent first.

    Parameters
    ----------
    alerts
        Name -> pages.
    books
        File -> (runbook, its number of weaknesses).
    """
    answered = []
    for alert, count in sorted(alerts.items(), key=lambda item: (-item[1], item[0])):
        file = next((file for file, (book, _) in books.items() if book.response(alert)), None)
        answered.append(Answer(alert, count, file, books[file][1] if file else 0))
    return answered


def of_team(team: Team) -> list[Answer]:
    """The answers of a team's own runbooks to the alerts of its log."""
    given = texts(team.folder)
    books = {
        file: (read(text), len(lint(text, context(team, file, given))))
        for file, text in given.items()
    }
    return answers(pages(team), books)


def judge(answered: Sequence[Answer]) -> Finding:
    """Which share of the pages met a runbook without weakness; unknown without any page.

    Examples
    --------
    >>> judge([Answer("a FAILED", 3, "a.md"), Answer("b FAILED", 1, None)]).evidence
    'a runbook without weakness answers 3 of 4 pages; nothing answers b FAILED'
    """
    total = sum(answer.pages for answer in answered)
    good = sum(answer.pages for answer in answered if answer.passes)
    numbers = {"pages": total, "answered": good}
    if not total:
        step = "Export alerts.csv, or wait for the first page"
        return Finding("runbooks", "unknown", "no page is on record", step, numbers)
    evidence = f"a runbook without weakness answers {good:,} of {total:,} pages"
    silent = [answer.alert for answer in answered if answer.runbook is None]
    weak = dict.fromkeys(a.runbook for a in answered if a.runbook and a.weaknesses)
    if silent:
        evidence += f"; nothing answers {', '.join(silent)}"
    status: Status = "ok" if good == total else "warn" if 2 * good >= total else "fail"
    step = "Nothing to do"
    if silent:
        step = f"Write a runbook for {silent[0]}"
    elif weak:
        step = f"Run dataops lint on {next(iter(weak))} and mend what it names"
    return Finding("runbooks", status, evidence, step, numbers)
