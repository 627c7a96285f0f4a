"""Edge: diagnoses a team, and runs its report: papermill, then one self-contained page."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dataops_lib import diagnosis as diagnosis_
from dataops_lib import files, headlines, page, teams
from dataops_lib.diagnosis import Diagnosis
from dataops_lib.errors import DataError, UsageError
from dataops_lib.observe import Observed
from dataops_lib.teams import Team

NOTEBOOKS = teams.HOME / "notebooks"
REPORT = "10_team_report"
KERNEL = "python3"
CELL_SECONDS = 300
PACKAGES = (
    "dataops-notebooks",
    "duckdb",
    "matplotlib",
    "pandas",
    "papermill",
    "pyarrow",
    "pyiceberg",
)


class ReportError(DataError):
    """A report that could not be made; `page` is the failure page, where one could be written."""

    def __init__(self, message: str, page: Path | None = None) -> None:
        self.page = page
        super().__init__(message)


def diagnose(team: Team, days: int = 30) -> Diagnosis:
    """Measure and judge everything that page one of a report says.

    Parameters
    ----------
    team : Team
        As `teams.load` gives it, cut to its `as_of`.
    days : int
        Length of the period before `as_of`.
    """
    observed = Observed(team, days)
    tables = observed.seen()
    period = f"{days} days to {headlines.day(team.as_of)}"
    findings = tuple(finding for seen in tables for finding in diagnosis_.judge(seen))
    missing = dict(team.missing)
    if team.catalog is not None:
        gone = [table.name for table in team.tables if table.name not in observed.tables]
        missing |= {f"table {name}": "its completeness and volume" for name in gone}
    elif team.tables:
        missing["catalog in team.yaml"] = "what the tables hold"
    return Diagnosis(
        team=team.name,
        title=team.title,
        as_of=team.as_of,
        window=observed.window,
        period=period,
        tiles=diagnosis_.tiles(tables, observed.queries(), period),
        tables=tables,
        findings=findings,
        unknowns=diagnosis_.unknowns(missing, tables),
        simulated=team.example.simulated.strip() if team.example else "",
        provenance=provenance(team),
    )


def provenance(team: Team) -> dict[str, Any]:
    """What the numbers were made from: parameters, versions, and the sha256 of every input."""
    versions = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
    return {
        "parameters": {"team": team.name, "as_of": team.as_of.isoformat()},
        "versions": versions,
        "inputs": dict(sorted(team.inputs.items())),
    }


def run(
    team: str,
    *,
    as_of: str | date | None = None,
    out: Path | str | None = None,
    root: Path | str | None = None,
    progress: bool = False,
) -> Path:
    """Make the report of one team and return the path of its page one.

    Writes `<out>/<team>/<as_of>/` with index.html, diagnosis.json and the executed notebook: all
    of it or nothing. A failed report gets a page that says so; a good one of an earlier run stays.

    Raises
    ------
    UsageError
        Unknown team or date, or files with mistakes: found before anything is executed.
    ReportError
        If the notebook fails, the kernel is missing, or the folder cannot be written.
    """
    loaded = teams.load(team, as_of=as_of, root=root)
    base = Path(out) if out else teams.HOME / "reports"
    target = base.expanduser().resolve() / loaded.name / loaded.as_of.isoformat()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    except OSError as error:
        raise ReportError(
            f"cannot write reports below {base}: {error.strerror or error}"
        ) from error
    try:
        with _environment(DATAOPS_TEAMS_DIR=str(teams.root_folder(root))):
            executed = execute(REPORT, _parameters(loaded), work / f"{REPORT}.ipynb", progress)
        _render(executed, work / "index.html", loaded)
        record = _record(executed)
        files.write(work / "diagnosis.json", json.dumps(record, indent=2, sort_keys=True) + "\n")
        _switch(work, target)
    except _CellError as error:
        raise ReportError(str(error), _failure(loaded, target, error)) from error
    except OSError as error:
        message = f"the report could not be written: {error.strerror or error} ({target})"
        raise ReportError(message) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target / "index.html"


def _parameters(team: Team) -> dict[str, Any]:
    return {"team": team.name, "as_of": team.as_of.isoformat()}


def headline(path: Path) -> str:
    """The headline sentence of a report that was made."""
    record = json.loads((path.parent / "diagnosis.json").read_text(encoding="utf-8"))
    return str(record["headline"])


class _CellError(Exception):
    """A notebook that raised: which cell, and what."""

    def __init__(self, notebook: str, cell: str, message: str) -> None:
        self.notebook, self.cell, self.message = notebook, cell, message
        super().__init__(f"notebook {notebook} failed: {message}")


def execute(
    notebook: str, parameters: Mapping[str, Any], output: Path, progress: bool = False
) -> Any:
    """Execute one of our notebooks by papermill and return it.

    Raises
    ------
    UsageError
        If there is no such notebook, or it has no such parameter (papermill would only warn).
    """
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel

    path = NOTEBOOKS / f"{notebook}.ipynb"
    if not path.is_file():
        raise UsageError(f"there is no notebook {notebook!r} in {NOTEBOOKS}")
    known = papermill.inspect_notebook(str(path))
    if unknown := sorted(set(parameters) - set(known)):
        raise UsageError(
            f"{notebook} has no parameter {', '.join(unknown)}; it has {', '.join(known)}"
        )
    try:
        return papermill.execute_notebook(
            str(path),
            str(output),
            parameters=dict(parameters),
            kernel_name=KERNEL,
            progress_bar=progress,
            execution_timeout=CELL_SECONDS,
            cwd=str(output.parent),
        )
    except papermill.PapermillExecutionError as error:
        message = f"{error.ename}: {error.evalue}"
        raise _CellError(notebook, error.source or "", message) from error
    except NoSuchKernel as error:
        message = f"there is no Jupyter kernel {KERNEL!r}; run `make` again, or install ipykernel"
        raise _CellError(notebook, "", message) from error
    except (TimeoutError, RuntimeError) as error:
        raise _CellError(notebook, "", f"{type(error).__name__}: {error}") from error


def html(
    notebook: Any, *, title: str, footer: str, heading: str = "", back: str = "", code: bool = False
) -> str:
    """An executed notebook as one HTML page: no scripts, nothing loaded from elsewhere."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(page.TEMPLATES)],
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    values = {"title": title, "footer": footer, "heading": heading, "back": back}
    resources = {"report": values | {"css": page.css("style.css")}}
    text, _ = exporter.from_notebook_node(notebook, resources=resources)
    return str(text)


def _render(notebook: Any, target: Path, team: Team) -> None:
    as_of = headlines.day(team.as_of)
    heading = f"Team report: {team.name}"
    footer = f"Team {team.name} as of {as_of}. Numbers and their sources: diagnosis.json."
    text = html(notebook, title=f"{heading}, {as_of}", footer=footer, heading=heading)
    files.write(target, text)


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
    values = {"team": team.name, "as_of": team.as_of, "message": error.message, "cell": error.cell}
    text = page.render(
        "failure.html.j2",
        css=page.css("style.css"),
        kept=kept,
        notebook=error.notebook,
        **values,
    )
    try:
        target.mkdir(exist_ok=True)
        return files.write(target / ("failed.html" if kept else "index.html"), text)
    except OSError:
        return None


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
