"""The report of one team: its notebooks executed, one self-contained page."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from dataops_lib import files, teams, wording
from dataops_lib.errors import DataError
from dataops_lib.report import history, page
from dataops_lib.report.notebook import NOTEBOOKS, _CellError, execute, html
from dataops_lib.teams import Team, folders

REPORT = "10_team_report"
SECTIONS = tuple(path.stem for path in sorted(NOTEBOOKS.glob("0[1-9]_*.ipynb")))
AT_ONCE = 2


class ReportError(DataError):
    """A report that could not be made; `page` is the failure page, where one could be written."""

    def __init__(self, message: str, page: Path | None = None) -> None:
        self.page = page
        super().__init__(message)


def run(
    team: str,
    *,
    as_of: str | date | None = None,
    out: Path | str | None = None,
    root: Path | str | None = None,
    sections: Sequence[str] = SECTIONS,
    progress: bool = False,
) -> Path:
    """Make the report of one team and return the path of its page one.

    Writes `<out>/<team>/<as_of>/` with index.html, a page for each of the `sections`,
    diagnosis.json and the executed notebooks: all of it or nothing. A section that fails becomes a
    page that says so. A failed page one gets a page of its own; a good one of an earlier run stays.

    Raises
    ------
    UsageError
        Unknown team or date, or files with mistakes: found before anything is executed.
    ReportError
        If page one fails, the kernel is missing, or the folder cannot be written.
    """
    loaded = teams.load(team, as_of=as_of, root=root)
    base = Path(out) if out else files.HOME / "reports"
    target = base.expanduser().resolve() / loaded.name / loaded.as_of.isoformat()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
        work.chmod(0o755)
    except OSError as error:
        raise ReportError(
            f"cannot write reports below {base}: {error.strerror or error}"
        ) from error
    try:
        with _environment(DATAOPS_TEAMS_DIR=str(folders.root_folder(root))):
            made = _execute_all((REPORT, *sections), loaded, work, progress)
        _write(made, work, loaded)
        _switch(work, target)
    except _CellError as error:
        raise ReportError(str(error), _failure(loaded, target, error)) from error
    except OSError as error:
        message = f"the report could not be written: {error.strerror or error} ({target})"
        raise ReportError(message) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target / "index.html"


def _execute_all(names: Sequence[str], team: Team, work: Path, progress: bool) -> dict[str, Any]:
    """Execute the notebooks, two at a time; an error stands in the place of one that failed."""
    from tqdm import tqdm

    parameters = {"team": team.name, "as_of": team.as_of.isoformat()}

    def one(name: str) -> Any:
        try:
            return execute(name, parameters, work / f"{name}.ipynb")
        except _CellError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = pool.map(one, names)
        bar = tqdm(done, total=len(names), desc=f"report {team.name}", disable=not progress or None)
        return dict(zip(names, bar, strict=True))


def _write(made: Mapping[str, Any], work: Path, team: Team) -> None:
    """Turn executed notebooks into pages; page one links the others."""
    first = made[REPORT]
    if isinstance(first, _CellError):
        raise first
    record = _record(first)
    record["sections"] = {
        name: "failed" if isinstance(notebook, _CellError) else "made"
        for name, notebook in made.items()
        if name != REPORT
    }
    files.write(work / "diagnosis.json", json.dumps(record, indent=2, sort_keys=True) + "\n")
    files.write(work / "facts.csv", history.facts(record).to_csv(index=False))
    when = wording.day(team.as_of)
    shared = {"team": team.name, "as_of": when}
    links = []
    for name, notebook in made.items():
        if name == REPORT:
            continue
        failed = isinstance(notebook, _CellError)
        title = name if failed else _title(notebook)
        links.append({"href": f"{name}.html", "title": title, "failed": failed})
        back = f"Team {team.name} as of {when}"
        footer = f"{back}. Executed from notebooks/{name}.ipynb."
        text = (
            _failure_page(notebook, kept=False, **shared)
            if isinstance(notebook, _CellError)
            else html(
                notebook, title=f"{title}: {back}", footer=footer, back="index.html", pages=made
            )
        )
        files.write(work / f"{name}.html", text)
    heading = f"Team report: {team.name}"
    footer = f"Team {team.name} as of {when}. Numbers and their sources: diagnosis.json."
    title = f"{heading}, {when}"
    text = html(first, title=title, footer=footer, heading=heading, links=links, pages=made)
    files.write(work / "index.html", text)


def _title(notebook: Any) -> str:
    """The first heading of a notebook."""
    lines = (line for cell in notebook.cells for line in cell.source.splitlines())
    return next((line[2:].strip() for line in lines if line.startswith("# ")), "Notebook")


def headline(path: Path) -> str:
    """The headline sentence of a report that was made."""
    return str(_recorded(path)["headline"])


def failed_sections(path: Path) -> list[str]:
    """The sections of a report that are a page which says that they failed."""
    return [name for name, state in _recorded(path)["sections"].items() if state == "failed"]


def _recorded(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((path.parent / "diagnosis.json").read_text("utf-8"))
    return record


def _record(notebook: Any) -> dict[str, Any]:
    """The diagnosis that the notebook recorded."""
    for cell in reversed(notebook.cells):
        for output in cell.get("outputs", ()):
            if page.RECORD in output.get("data", {}):
                return dict(output["data"][page.RECORD])
    raise _CellError(REPORT, "", "the notebook recorded no diagnosis")


def _switch(work: Path, target: Path) -> None:
    """Put the finished folder in the place of the old one."""
    old = target.with_name(f".old-{work.name}")
    if target.exists():
        target.rename(old)
    try:
        work.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _failure(team: Team, target: Path, error: _CellError) -> Path | None:
    """Write the page of a failed report: in its place, or beside a good one of an earlier run."""
    kept = (target / "diagnosis.json").exists()
    text = _failure_page(error, kept=kept, team=team.name, as_of=wording.day(team.as_of))
    try:
        target.mkdir(exist_ok=True)
        return files.write(target / ("failed.html" if kept else "index.html"), text)
    except OSError:
        return None


def _failure_page(error: _CellError, *, kept: bool, team: str, as_of: str) -> str:
    values = {"message": error.message, "cell": error.cell, "notebook": error.notebook}
    css = page.css("style.css")
    return page.render("failure.html.j2", css=css, kept=kept, team=team, as_of=as_of, **values)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Give the kernels we start these environment variables."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
