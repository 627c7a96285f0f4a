"""The files of one team folder, read and checked together."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from dataops_lib import maturity, windows, yaml_lines
from dataops_lib.contracts import contract
from dataops_lib.errors import Problem, TeamError
from dataops_lib.files import contents
from dataops_lib.maturity import answers
from dataops_lib.service_levels import objectives, slo
from dataops_lib.teams import history, lineage, people_file
from dataops_lib.teams.history import ROTA
from dataops_lib.teams.models import Assessment, Fault, FaultFile, OnboardingFile, TeamFile
from dataops_lib.teams.on_call_file import OnCallFile

Value = TypeVar("Value")

NEEDED_FOR = {  # what stays unknown when a file is missing
    "slos.yaml": "which promises were kept, and the error budgets",
    "contracts": "completeness, and the audits of the tables",
    "assessment.yaml": "the maturity level and the next step",
    "runs.csv": "run success, freshness, publishes blocked and incidents",
    "alerts.csv": "who noticed first, and how noisy alerts are",
}

WHEN_NEEDED = (
    "onboarding.yaml",
    "on_call.yaml",
    "rota.csv",
    "people.yaml",
)  # nothing stays unknown without: often nobody is new


class Files:
    """The files of one folder: what was read, what is absent, what is wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[Problem] = []
        self.absent: list[str] = []
        self.hashes: dict[str, str] = {}

    def attempt(self, read: Callable[[], Value]) -> Value | None:
        """What `read()` gives; None, and its problems noted, if it cannot be used."""
        try:
            return read()
        except TeamError as error:
            self.problems += error.problems
            return None

    def take(self, name: str, read: Callable[..., Value], base: Path | None = None) -> Value | None:
        """What `read(text, file=name)` gives; None when the file is absent or wrong."""
        folder = base or self.folder
        path = folder / name
        if not os.path.lexists(path):
            self.absent += [name] if name not in WHEN_NEEDED else []
            return None
        fix = "make it a readable text file in UTF-8"
        try:
            content = contents(path, within=folder)
            text = content.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            message = f"is not UTF-8 (byte {error.start})"
            self.problems.append(Problem(name, None, "", message, fix))
            return None
        except OSError as error:
            self.problems.append(Problem(name, None, "", f"cannot be read ({error.strerror})", fix))
            return None
        self.hashes[name] = hashlib.sha256(content).hexdigest()
        return self.attempt(lambda: read(text, file=name))

    def table(
        self, name: str, columns: Sequence[history.Column], base: Path | None = None
    ) -> pd.DataFrame | None:
        """A history from `name`.csv, or from `name`.parquet with the same columns."""
        folder = base or self.folder
        path = folder / f"{name}.parquet"
        read = partial(history.loads, columns=columns)
        if not os.path.lexists(path):
            return self.take(f"{name}.csv", read, base)
        import pyarrow as pa
        from pyarrow import csv as arrow_csv
        from pyarrow import parquet

        fix = "data/README.md names the columns; times need a zone, and nothing is nested"
        if path.with_suffix(".csv").exists():
            beside = Problem(path.name, None, "", f"stands beside {name}.csv", "keep one of them")
            self.problems.append(beside)
            return None
        try:
            content = contents(path, within=folder)
            arrow_csv.write_csv(parquet.read_table(io.BytesIO(content)), text := io.BytesIO())
        except (pa.ArrowException, OSError) as error:
            message = f"cannot be read as a Parquet table ({type(error).__name__})"
            self.problems.append(Problem(path.name, None, "", message, fix))
            return None
        self.hashes[path.name] = hashlib.sha256(content).hexdigest()
        return self.attempt(lambda: read(text.getvalue().decode(), file=path.name))

    def contracts(self) -> dict[str, contract.Contract] | None:
        """Contracts by the name of their table; None when the team has none."""
        paths = sorted((self.folder / "contracts").glob("*.yaml"))
        if not paths:
            self.absent.append("contracts")
            return None
        named = (f"contracts/{path.name}" for path in paths)
        found = [self.take(name, contract.loads) for name in named]
        return {agreed.table: agreed for agreed in found if agreed is not None}


def read(files: Files) -> dict[str, Any]:
    """Everything a person wrote: team.yaml, SLOs, contracts, answers, models."""
    parts: dict[str, Any] = {
        "file": files.take("team.yaml", partial(team_file, name=files.folder.name)),
        "slos": files.take("slos.yaml", lambda text, file: tuple(slo.loads(text, file=file))),
        "contracts": files.contracts(),
        "assessment": files.take("assessment.yaml", assessment),
    }
    file = parts["file"]
    parts["onboarding"] = files.take("onboarding.yaml", partial(_onboarding, team=file))
    parts["roles"] = files.take(people_file.FILE, partial(people_file.loads, team=file))
    parts["rota"] = files.take("rota.csv", partial(_rota, team=file))
    parts["on_call"] = files.take("on_call.yaml", partial(_on_call, team=file))
    files.attempt(lambda: lineage.read(files.folder / "pipelines"))
    if file is not None:
        files.attempt(lambda: _picture(file))
        files.problems += _cross_check(file, parts["slos"], parts["contracts"])
    return parts


def read_history(
    files: Files, build: Path | None
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Runs and alerts, from the replay if the team is an example, else from its folder."""
    return files.table("runs", history.RUNS, build), files.table("alerts", history.ALERTS, build)


def read_faults(files: Files) -> tuple[Fault, ...]:
    """What is planted into the replay of an example team; only the replay acts on it."""
    found = files.take(
        "faults.yaml",
        lambda text, file: yaml_lines.validate(FaultFile, yaml_lines.loads(text, file)),
    )
    faults = found.faults if found else ()
    known = {path.stem for path in (files.folder / "sources").glob("*.sql")}
    known |= {path.name for path in (files.folder / "pipelines").glob("*/")}
    fix = f"write one of: {', '.join(sorted(known)) or 'none yet'}"
    files.problems += [
        Problem("faults.yaml", None, "faults", f"{place!r} is not a source or pipeline", fix)
        for place in sorted({str(fault.source or fault.pipeline) for fault in faults} - known)
    ]
    return faults


def team_file(text: str, file: str, name: str) -> TeamFile:
    """What a team.yaml says; its names fit each other, and `name` is that of the folder."""
    read = yaml_lines.loads(text, file)
    team = yaml_lines.validate(TeamFile, read)
    problems = [read.problem(*wrong) for wrong in (*_misfits(team), *_endless(team))]
    if team.name != name:
        fix = f"write `name: {name}`, or rename the folder"
        problems.append(read.problem(("name",), f"is {team.name!r} in the folder {name!r}", fix))
    if problems:
        raise TeamError(problems)
    return team


def _misfits(team: TeamFile) -> Iterator[tuple[yaml_lines.Path, str, str]]:
    """Names that one part of team.yaml uses and another does not list."""
    lists = {
        part: [value.name for value in getattr(team, part)]
        for part in ("people", "pipelines", "tables")
    }
    used: list[tuple[yaml_lines.Path, str, str]] = []
    for number, table in enumerate(team.tables):
        used.append((("tables", number, "pipeline"), table.pipeline, "pipelines"))
        if team.people:
            used.append((("tables", number, "owner"), table.owner, "people"))
    for number, consumer in enumerate(team.consumers):
        used.append((("consumers", number, "table"), consumer.table, "tables"))
    if team.picture:
        used.append((("picture", "table"), team.picture.table, "tables"))
    for path, value, part in used:
        if value not in lists[part]:
            yield path, *_unknown(value, part, lists[part])


MAX_DUE = 200_000  # due times of one pipeline: quarter-hourly for five years
MAX_DUE_OF_ALL = 2_000_000  # of all tables


def _endless(team: TeamFile) -> Iterator[tuple[yaml_lines.Path, str, str]]:
    """Schedules that are due more often than a report can count."""
    today = datetime.now(UTC).date()
    counts: dict[str, int] = {}
    for number, pipeline in enumerate(team.pipelines):
        until = max(pipeline.first_due, team.replay.until if team.replay else today)
        counts[pipeline.name] = windows.due_count(pipeline.schedule, pipeline.first_due, until)
        if counts[pipeline.name] > MAX_DUE:
            message = f"makes {counts[pipeline.name]:,} due times, the limit is {MAX_DUE:,}"
            fix = "write the day from which the report should look, such as a year ago"
            yield ("pipelines", number, "first_due"), message, fix
    total = sum(counts.get(table.pipeline, 0) for table in team.tables)
    if total > MAX_DUE_OF_ALL and max(counts.values()) <= MAX_DUE:
        message = f"make {total:,} due times of all tables, the limit is {MAX_DUE_OF_ALL:,}"
        yield ("pipelines",), message, "write later days into first_due, or make two teams"


def _picture(file: TeamFile) -> None:
    try:
        lineage.inputs(file.picture.query if file.picture else "SELECT 1")
    except ValueError as error:
        fix = "write one SELECT that gives `day` and numbers"
        raise TeamError([Problem("team.yaml", None, "picture.query", str(error), fix)]) from None


def assessment(text: str, file: str) -> Assessment:
    """Answers and votes, each held against the questions and pains of the maturity model."""
    read = yaml_lines.loads(text, file)
    given = yaml_lines.validate(Assessment, read)
    model = maturity.load_model()
    found = answers.check(
        model, given.answers, file=file, at=("answers",), line=read.line
    ) + answers.check_votes(model, given.votes, file=file, at=("votes",), line=read.line)
    if found:
        raise TeamError(found)
    return given


def _onboarding(text: str, file: str, team: TeamFile | None) -> OnboardingFile:
    """Who is new and what they say to have made; every name is held against team.yaml."""
    read = yaml_lines.loads(text, file)
    given = yaml_lines.validate(OnboardingFile, read)
    if team is None:  # its own mistakes come first
        return given
    known = {
        where: [one.name for one in getattr(team, where)]
        for where in ("people", "tables", "pipelines")
    }
    found: list[Problem] = []
    for number, one in enumerate(given.learners):
        used: dict[tuple[str, ...], tuple[str, str]] = {("name",): (one.name, "people")}
        used |= {("test", "table"): (one.test.table, "tables")} if one.test else {}
        used |= {("contract",): (one.contract, "tables")} if one.contract else {}
        used |= {("pipeline",): (one.pipeline, "pipelines")} if one.pipeline else {}
        found += [
            read.problem(("learners", number, *field), *_unknown(value, where, known[where]))
            for field, (value, where) in used.items()
            if value not in known[where]
        ]
    if found:
        raise TeamError(found)
    return given


def _on_call(text: str, file: str, team: TeamFile | None) -> OnCallFile:
    """Who can be called and how; every name is held against team.yaml."""
    read = yaml_lines.loads(text, file)
    given = yaml_lines.validate(OnCallFile, read)
    if team is None:  # its own mistakes come first
        return given
    people, tables = ([one.name for one in names] for names in (team.people, team.tables))
    found = [
        read.problem(("people", number, "name"), *_unknown(one.name, "people", people))
        for number, one in enumerate(given.people)
        if people and one.name not in people
    ]
    found += [
        read.problem(("people", number, "domains"), *_unknown(domain, "tables", tables))
        for number, one in enumerate(given.people)
        for domain in one.domains
        if domain not in tables
    ]
    if found:
        raise TeamError(found)
    return given


def _rota(text: str, file: str, team: TeamFile | None) -> pd.DataFrame:
    """Shifts, each of somebody in the roster, and each ending after it begins."""
    shifts = history.loads(text, ROTA, file)
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    lines = [reader.line_num for _ in reader]
    people = None if team is None else [person.name for person in team.people]
    found: list[Problem] = []
    for line, shift in zip(lines, shifts.to_dict("records"), strict=True):
        if people is not None and shift["person"] not in people:
            wrong = _unknown(shift["person"], "people", people)
            found.append(Problem(file, line, "person", *wrong))
        if shift["ends_at"] <= shift["starts_at"]:
            fix = "write the later time into ends_at"
            found.append(Problem(file, line, "ends_at", "is not after starts_at", fix))
    if found:
        raise TeamError(found)
    return shifts


def _unknown(value: str, where: str, known: Iterable[str]) -> tuple[str, str]:
    """What is wrong with a name that team.yaml does not know, and how to mend it."""
    listed = ", ".join(sorted(known)) or "none yet"
    return (
        f"{value!r} is not in `{where}` of team.yaml",
        f"add it there, or write one of: {listed}",
    )


def _cross_check(
    file: TeamFile,
    slos: tuple[objectives.SLO, ...] | None,
    contracts: Mapping[str, contract.Contract] | None,
) -> list[Problem]:
    """Tables that other files name and team.yaml does not list, or gives another tier."""
    tables = [table.name for table in file.tables]
    used = [("slos.yaml", table) for table in {promise.table for promise in slos or ()}]
    used += [("contracts", table) for table in contracts or ()]
    problems = [
        Problem(name, None, "name", *_unknown(table, "tables", tables))
        for name, table in used
        if table not in tables
    ]
    tiers = {table.name: table.tier for table in file.tables}
    fix = "write the same tier in both files, or leave it out of slos.yaml"
    written = dict.fromkeys((promise.table, promise.tier) for promise in slos or ())
    for table, tier in written:
        there = tiers.get(table, tier)
        if tier is not None and tier != there:
            message = f"of {table} is {tier}, but {there} in team.yaml"
            problems.append(Problem("slos.yaml", None, "tier", message, fix))
    return problems
