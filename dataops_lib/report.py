"""Edge: diagnoses a team, and runs its report: papermill, then one self-contained page."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dataops_lib import (
    decisions,
    files,
    headlines,
    maturity,
    maturity_model,
    page,
    playbook,
    policy,
    teams,
    traces,
)
from dataops_lib import diagnosis as diagnosis_
from dataops_lib.diagnosis import Diagnosis
from dataops_lib.errors import DataError, UsageError
from dataops_lib.finding import Finding
from dataops_lib.observe import Observed
from dataops_lib.teams import Team

NOTEBOOKS = teams.HOME / "notebooks"
REPORT = "10_team_report"
SECTIONS = tuple(path.stem for path in sorted(NOTEBOOKS.glob("0[1-9]_*.ipynb")))
AT_ONCE = 2
LINK = re.compile(r'href="(\w+)\.ipynb"')
KERNEL = "python3"
QUIET = ["--IPKernelApp.log_level=40"]  # kernels report errors only, no note on encryption
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


def diagnose(team: Team, days: int = diagnosis_.DAYS) -> Diagnosis:
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
    left = decisions.budgets(tables, policy.load_policy(playbook.text("error_budget_policy.yaml")))
    level, step = _assessed(team)
    recent = tuple(one for one in observed.incidents if one.due_at in observed.window)
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
        budgets=left,
        maturity=level,
        step=step,
        incidents=recent,
        decisions=decisions.decide(left, recent, team.people, team.as_of),
        onboarding=traces.findings(observed),
        onboarding_note=team.onboarding.note.strip() if team.onboarding else "",
        simulated=team.example.simulated.strip() if team.example else "",
        provenance=provenance(team),
    )


def _assessed(team: Team) -> tuple[Finding | None, Finding | None]:
    """Level and next step of the team's answers; None, None without any."""
    given = team.assessment
    if given is None:
        return None, None
    score = maturity.score(maturity_model.load_model(), given.answers)
    return maturity.judge(score), maturity.next_step(score, given.votes)


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
    base = Path(out) if out else teams.HOME / "reports"
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
        with _environment(DATAOPS_TEAMS_DIR=str(teams.root_folder(root))):
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
    files.write(work / "diagnosis.json", json.dumps(record, indent=2, sort_keys=True) + "\n")
    when = headlines.day(team.as_of)
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
    record = json.loads((path.parent / "diagnosis.json").read_text(encoding="utf-8"))
    return str(record["headline"])


class _CellError(Exception):
    """A notebook that raised: which cell, and what."""

    def __init__(self, notebook: str, cell: str, message: str) -> None:
        self.notebook, self.cell, self.message = notebook, cell, message
        super().__init__(f"notebook {notebook} failed: {message}")


def execute(notebook: str, parameters: Mapping[str, Any], output: Path) -> Any:
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
            progress_bar=False,
            execution_timeout=CELL_SECONDS,
            extra_arguments=QUIET,
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
    notebook: Any,
    *,
    title: str,
    footer: str = "",
    heading: str = "",
    back: str = "",
    links: Sequence[Mapping[str, Any]] = (),
    pages: Collection[str] = (),
    code: bool = False,
) -> str:
    """An executed notebook as one HTML page: no scripts, nothing loaded from elsewhere.

    `links` are sections with href, title and failed; `back` is where page one stands. A link to
    one of the notebooks in `pages` becomes a link to its page, one to another is plain text.
    """
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(page.TEMPLATES)],
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    values = {"title": title, "footer": footer, "heading": heading, "back": back, "links": links}
    resources = {"report": values | {"css": page.css("style.css")}}
    text, _ = exporter.from_notebook_node(notebook, resources=resources)
    return LINK.sub(lambda m: f'href="{m[1]}.html"' if m[1] in pages else "", str(text))


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
    text = _failure_page(error, kept=kept, team=team.name, as_of=headlines.day(team.as_of))
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
