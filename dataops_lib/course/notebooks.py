"""The notebooks: which there are, whether all is in place, and saving them with outputs."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from dataops_lib import files, teams
from dataops_lib.course import exercise_source
from dataops_lib.errors import DataError, UsageError
from dataops_lib.finding import Finding
from dataops_lib.report import diagnosis
from dataops_lib.report import notebook as report_notebook
from dataops_lib.teams import folders
from dataops_lib.wording import titled

PYTHON = (3, 11)


def contents(folder: Path | None = None) -> pd.DataFrame:
    """The notebooks of a folder in reading order, as each of them says: its question, its minutes.

    Minutes are empty where a notebook does not say "About N minutes" in its first cell.
    """
    rows = []
    for path in sorted((folder or report_notebook.NOTEBOOKS).glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        first = str(cells[0].source) if cells else ""
        title = re.search(r"^# (.+)$", first, re.MULTILINE)
        minutes = re.search(r"\bAbout (\d+) minutes\b", first)
        rows.append((path.stem, title[1] if title else "", minutes[1] if minutes else ""))
    return titled(pd.DataFrame(rows, columns=["notebook", "what it answers", "minutes"]))


def environment(lock: Path | None = None) -> list[Finding]:
    """Whether this Python, the packages and the example warehouses are in place."""
    python = ".".join(map(str, PYTHON))
    has_python = sys.version_info[:2] >= PYTHON
    findings = [
        Finding(
            f"Python {python} or newer",
            "ok" if has_python else "fail",
            "yes" if has_python else f"no, this is {sys.version.split()[0]}",
            "Nothing to do" if has_python else f"Install Python {python}, then run make again",
        )
    ]
    path = lock or files.HOME / "requirements.lock"
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    findings += [_package(name, locked[name]) for name in diagnosis.PACKAGES if name in locked]
    return findings + [_warehouse(name) for name in teams.names(files.HOME / "data" / "teams")]


def _package(name: str, version_locked: str) -> Finding:
    try:
        installed = version(name)
    except PackageNotFoundError:
        return Finding(name, "fail", "not installed", "Run make again")
    if installed == version_locked:
        return Finding(name, "ok", "the version that was tested", "Nothing to do")
    step = "Run make again, if results differ from those shown here"
    return Finding(name, "warn", f"{installed}, tested with {version_locked}", step)


def _warehouse(name: str) -> Finding:
    subject = f"example warehouse {name}"
    built = folders.current_build(folders.folder_of(name, files.HOME / "data" / "teams"))
    if built is None:
        return Finding(subject, "fail", "not built", "Run dataops demo")
    return Finding(subject, "ok", "built", "Nothing to do")


def table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Findings as a small table: what was looked at, how it stands, what to do."""
    rows = [(finding.subject, finding.evidence, finding.next_step) for finding in findings]
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


def paths(names: Sequence[str] | None = None) -> list[Path]:
    """The notebooks with these names (without .ipynb), or all of them in reading order.

    Raises
    ------
    UsageError
        If there is no such notebook.
    """
    exercises = [path.with_suffix(".ipynb") for path in report_notebook.NOTEBOOKS.glob("*.md")]
    stored = {
        *report_notebook.NOTEBOOKS.glob("*.ipynb"),
        *exercises,
        *map(exercise_source.solved_path, exercises),
    }
    by_name = {path.stem: path for path in sorted(stored)}
    unknown = [name for name in names or () if name not in by_name]
    if unknown:
        known = ", ".join(by_name)
        raise UsageError(f"there is no notebook {', '.join(unknown)}; there are: {known}")
    return [by_name[name] for name in names or by_name]


def save(names: Sequence[str] | None = None) -> list[Path]:
    """Execute notebooks in a fresh kernel and write them back, with outputs and without noise.

    Raises
    ------
    DataError
        If a cell raises; the file on disk is left as it was.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from tqdm import tqdm

    saved = []
    for path in tqdm(paths(names), desc="notebooks", disable=None):
        sourced = exercise_source.source_of(path).is_file()
        notebook = exercise_source.build(path) if sourced else nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            timeout=report_notebook.CELL_SECONDS,
            kernel_name=report_notebook.KERNEL,
            extra_arguments=report_notebook.QUIET,
            resources={"metadata": {"path": str(report_notebook.NOTEBOOKS)}},
        )
        try:
            client.execute()
        except CellExecutionError as error:
            raise DataError(f"{path.name}: {error.ename}: {error.evalue}") from error
        path.parent.mkdir(exist_ok=True)
        files.write(path, nbformat.writes(_cleaned(notebook)) + "\n")
        saved.append(path)
    return saved


def _cleaned(notebook: Any) -> Any:
    """Leave out what differs on every machine or run: times, kernel details, random cell ids."""
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": report_notebook.KERNEL,
        },
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell.metadata.pop("execution", None)
        cell.metadata.pop("papermill", None)
    return notebook
