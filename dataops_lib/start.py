"""Edge: what somebody sees first: which notebooks there are, and whether everything is in place."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nbformat
import pandas as pd

from dataops_lib import report, teams
from dataops_lib.finding import Finding
from dataops_lib.views import titled

PYTHON = (3, 11)


def contents(folder: Path | None = None) -> pd.DataFrame:
    """The notebooks of a folder in reading order, as each of them says: its question, its minutes.

    Minutes are empty where a notebook does not say "About N minutes" in its first cell.
    """
    rows = []
    for path in sorted((folder or report.NOTEBOOKS).glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        first = str(cells[0].source) if cells else ""
        title = re.search(r"^# (.+)$", first, re.MULTILINE)
        minutes = re.search(r"\bAbout (\d+) minutes\b", first)
        rows.append((path.stem, title[1] if title else "", minutes[1] if minutes else ""))
    return titled(pd.DataFrame(rows, columns=["notebook", "what it answers", "minutes"]))


def environment(lock: Path | None = None) -> list[Finding]:
    """Whether this Python, the packages and the example warehouses are in place."""
    wanted = ".".join(map(str, PYTHON))
    has_python = sys.version_info[:2] >= PYTHON
    found = [
        Finding(
            f"Python {wanted} or newer",
            "ok" if has_python else "fail",
            "yes" if has_python else f"no, this is {sys.version.split()[0]}",
            "Nothing to do" if has_python else f"Install Python {wanted}, then run make again",
        )
    ]
    path = lock or teams.HOME / "requirements.lock"
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    found += [_package(name, locked[name]) for name in report.PACKAGES if name in locked]
    return found + [_warehouse(name) for name in teams.names(teams.HOME / "data" / "teams")]


def _package(name: str, wanted: str) -> Finding:
    try:
        installed = version(name)
    except PackageNotFoundError:
        return Finding(name, "fail", "not installed", "Run make again")
    if installed == wanted:
        return Finding(name, "ok", "the version that was tested", "Nothing to do")
    step = "Run make again, if results differ from those shown here"
    return Finding(name, "warn", f"{installed}, tested with {wanted}", step)


def _warehouse(name: str) -> Finding:
    subject = f"example warehouse {name}"
    built = teams.current_build(teams.folder_of(name, teams.HOME / "data" / "teams"))
    if built is None:
        return Finding(subject, "fail", "not built", "Run dataops demo")
    return Finding(subject, "ok", "built", "Nothing to do")


def table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Findings as a small table: what was looked at, how it stands, what to do."""
    rows = [(one.subject, one.evidence, one.next_step) for one in findings]
    return titled(pd.DataFrame(rows, columns=["what", "state", "next step"]))


def runs_by_status(team: teams.Team) -> dict[str, dict[str, int]]:
    """How many runs of each table ended how; empty without a run history."""
    if team.runs is None:
        return {}
    counted = Counter(zip(team.runs["table"], team.runs["status"], strict=True))
    return {
        one.name: {status: n for (table, status), n in sorted(counted.items()) if table == one.name}
        for one in team.tables
    }


def levels_by_table(findings: Iterable[Finding]) -> Mapping[str, Mapping[str, int]]:
    """How many service levels of each table have which status."""
    counted: dict[str, Counter[str]] = {}
    for finding in findings:
        counted.setdefault(finding.subject.split(" ")[0], Counter())[finding.status] += 1
    return counted
