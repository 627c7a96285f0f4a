"""One team as its folder describes it, cut to what was known at a date."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import ConfigDict, Field

from dataops_lib import windows
from dataops_lib.contracts import contract
from dataops_lib.errors import DataError, Problem, TeamError, UsageError
from dataops_lib.files import HOME
from dataops_lib.finding import Finding
from dataops_lib.service_levels import objectives
from dataops_lib.teams import history, lineage, reader, variables
from dataops_lib.teams.folders import current_build, folder_of, local_catalog
from dataops_lib.teams.models import (
    Assessment,
    Catalog,
    OnboardingFile,
    Pipeline,
    Table,
    TeamFile,
)
from dataops_lib.teams.on_call_file import OnCallFile
from dataops_lib.teams.people_file import PeopleFile


class Team(TeamFile):
    """One team as its folder describes it, cut to what was known at `as_of`.

    `as_of` is a date in the team's zone; everything from 00:00 of that day on is left out. A value
    that no file gives is None, and `missing` says what stays unknown without it. `audits` holds,
    by run_id, the findings that blocked a publish; `inputs` the sha256 of every file that was read.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)

    folder: Path
    as_of: date
    slos: tuple[objectives.SLO, ...] | None
    contracts: Mapping[str, contract.Contract] | None
    assessment: Assessment | None
    onboarding: OnboardingFile | None = None
    roles: PeopleFile | None = None
    rota: pd.DataFrame | None = Field(default=None, repr=False)
    on_call: OnCallFile | None = None
    runs: pd.DataFrame | None = Field(repr=False)
    alerts: pd.DataFrame | None = Field(repr=False)
    audits: Mapping[str, tuple[Finding, ...]] = Field(repr=False)
    missing: Mapping[str, str]
    inputs: Mapping[str, str] = Field(repr=False)

    @property
    def as_of_at(self) -> datetime:
        """The UTC time at which `as_of` begins in the team's zone."""
        return windows.midnight(self.as_of, self.zone)

    def window(self, days: int = 30) -> windows.Window:
        """The `days` days before `as_of`."""
        return windows.rolling(self.as_of, days=days, zone=self.zone)

    def table(self, name: str) -> Table:
        """The table called `name`."""
        return next(table for table in self.tables if table.name == name)

    def pipeline_of(self, table: str) -> Pipeline:
        """The pipeline that loads `table`."""
        name = self.table(table).pipeline
        return next(pipeline for pipeline in self.pipelines if pipeline.name == name)

    def expected(self, table: str, window: windows.Window) -> list[datetime]:
        """UTC times in `window` at which a load of `table` was due: its schedule, no holidays.

        The schedule is the one that slos.yaml promises for the table, else the pipeline's.
        """
        pipeline = self.pipeline_of(table)
        zone = pipeline.zone or self.zone
        start = max(window.start, windows.midnight(pipeline.first_due, zone))
        if start >= window.end:
            return []
        schedule = pipeline.schedule
        for promise in self.slos or ():
            if promise.table == table and promise.schedule:
                schedule, zone = promise.schedule, promise.zone
        promised = windows.Window(start, window.end)
        return windows.expected(schedule, zone, promised, holidays=pipeline.holidays)

    @cached_property
    def lineage(self) -> Mapping[str, tuple[str, ...]]:
        """The inputs of each model, read from its SELECT; empty without models."""
        return lineage.read(self.folder / "pipelines")

    def downstream(self, name: str) -> tuple[str, ...]:
        """Published tables that are built from `name`, directly or not, nearest first."""
        published = {table.name for table in self.tables}
        return tuple(t for t in lineage.downstream(self.lineage, name) if t in published)


def when(as_of: str | date | None, *, today: date) -> date | None:
    """Read an `as_of`: a date, "today", or "last-month" (the first day of this month).

    Raises
    ------
    UsageError
        If the text is none of these.

    Examples
    --------
    >>> when("last-month", today=date(2026, 11, 22))
    datetime.date(2026, 11, 1)
    """
    if as_of is None or type(as_of) is date:
        return as_of
    named = {"today": today, "last-month": today.replace(day=1)}
    try:
        return named.get(str(as_of)) or date.fromisoformat(str(as_of))
    except ValueError:
        message = f"as_of is {as_of!r}, but must be a date such as 2013-03-01, last-month or today"
        raise UsageError(message) from None


def load(team: str, *, as_of: str | date | None = None, root: Path | str | None = None) -> Team:
    """Read the folder of `team` as it stood at `as_of` (default: the end of what is known).

    Parameters
    ----------
    team : str
        A folder under `root`.
    as_of : date or str, optional
        A date in the team's zone, "last-month" or "today".
    root : path, optional
        Where team folders are; see `root_folder`.

    Raises
    ------
    UsageError
        If there is no such team, or `as_of` lies outside what was replayed.
    TeamError
        With all mistakes of all files, if the folder cannot be used.
    DataError
        If an example team has not been replayed yet.
    """
    folder = folder_of(team, root)
    files = reader.Files(folder)
    parts = reader.read(files)
    if files.problems:
        raise TeamError(files.problems)
    file: TeamFile = parts.pop("file")
    day = as_of_day(file, as_of)
    build = _build(folder, file)
    runs, alerts = reader.read_history(files, build)
    if files.problems:
        raise TeamError(files.problems)
    moment = windows.midnight(day, file.zone)
    derived: dict[str, Any] = {
        "folder": folder,
        "as_of": day,
        "runs": None if runs is None else history.known_at(runs, moment),
        "alerts": None if alerts is None else history.alerts_known_at(alerts, moment),
        "audits": _audits(build),
        "catalog": _catalog(folder, file, build),
        "missing": {name: reader.NEEDED_FOR[name] for name in files.absent},
        "inputs": files.hashes,
    }
    return Team.model_construct(**dict(file) | parts | derived)


def example(team: str = "orders") -> Team:
    """An example team of the clone at the end of its replay, wherever your own teams are."""
    return load(team, root=HOME / "data" / "teams")


def team_file(folder: Path) -> TeamFile:
    """What the team.yaml of `folder` says; TeamError with all mistakes if it is wrong."""
    files = reader.Files(folder)
    file = files.take("team.yaml", partial(reader.team_file, name=folder.name))
    if file is None:
        raise TeamError(files.problems)
    return file


def problems(team: str, *, root: Path | str | None = None) -> list[Problem]:
    """Every mistake of a team's files; empty when the folder can be used."""
    files = reader.Files(folder_of(team, root))
    reader.read(files)
    reader.read_history(files, None)
    reader.read_faults(files)
    return sorted(set(files.problems))


def as_of_day(file: TeamFile, as_of: str | date | None) -> date:
    """The day to report on; refused where nothing can be known: outside a replay, or tomorrow."""
    today = datetime.now(UTC).astimezone(ZoneInfo(file.zone)).date()
    day = when(as_of, today=today)
    span = file.replay
    if span is None:
        if day is not None and not date(1970, 3, 1) <= day <= today:
            raise UsageError(f"as_of is {day}, but must lie between 1970-03-01 and today, {today}")
        return day or today
    day = day or span.until
    if not span.first_day < day <= span.until:
        raise UsageError(
            f"as_of is {day}, but team {file.name!r} was replayed from {span.first_day} to "
            f"{span.until}: choose a day after {span.first_day} and not after {span.until}"
        )
    return day


def _build(folder: Path, file: TeamFile) -> Path | None:
    """The finished replay of an example team; None for a team of your own."""
    if file.replay is None:
        return None
    build = current_build(folder)
    if build is None:
        message = f"the warehouse of {file.name!r} is not built yet; run `dataops demo`"
        raise DataError(message)
    return build


def _audits(build: Path | None) -> dict[str, tuple[Finding, ...]]:
    """Why the replay's audits blocked, by run_id; empty for a team of your own."""
    if build is None:
        return {}
    blocked = json.loads((build / "blocked.json").read_text(encoding="utf-8"))
    found: dict[str, tuple[Finding, ...]] = {}
    for row in blocked:  # one run loads several tables, and more than one can be blocked
        earlier = found.get(row["run_id"], ())
        found[row["run_id"]] = (*earlier, *(Finding(**one) for one in row["findings"]))
    return found


def _catalog(folder: Path, file: TeamFile, build: Path | None) -> Catalog | None:
    """Where the tables are: the replay's catalog, or the team's own with its secrets filled in."""
    if build is not None:
        return local_catalog(build)
    return None if file.catalog is None else variables.filled(file.catalog, folder)
