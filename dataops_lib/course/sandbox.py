"""A team's table in a temporary folder, where runs may fail, race and die without harm.

subject(observed, otherwise, ...) -> Observed    the team whose table the acts can use
copy(observed, table=None, ...) -> Sandbox       its real rows, in a warehouse of their own
spoil(data, checks) -> {fault: data}             a good day, with one fault each
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from dataops_lib import contracts, wap, warehouse, windows
from dataops_lib.audit import sql_value, verdicts, volume
from dataops_lib.audit.checks import Check, Limit, SqlCheck, VolumeCheck
from dataops_lib.errors import UsageError
from dataops_lib.evidence import Observed, series
from dataops_lib.sql import literal, quoted
from dataops_lib.teams import Team
from dataops_lib.teams.folders import local_catalog
from dataops_lib.teams.models import Picture
from dataops_lib.wap import alerts, runs, upkeep
from dataops_lib.warehouse import metadata

ACTS = 6  # days that are kept back, to be published one by one
HISTORY = "history"  # the run that publishes all days before them
DAY_ROWS = 20_000  # of a larger day only so many rows are copied
DAYS = 60


@dataclass
class SandboxClock:
    """A simulated clock: each look at it takes a minute, and notes what readers see just then."""

    at: datetime
    look: Callable[[], tuple[str, int]]
    seen: list[tuple[datetime, str, int]] = field(default_factory=list)

    def __call__(self) -> datetime:
        """The time now."""
        moment = self.at
        self.seen.append((moment, *self.look()))
        self.at += timedelta(minutes=1)
        return moment


@dataclass(repr=False)
class Sandbox:
    """One table in a warehouse of its own; `days` holds the rows that are still to be published."""

    team: Team
    table_name: str
    name: str
    catalog: Catalog
    days: Mapping[date, pa.Table]
    counts: Mapping[date, int]
    folder: Path
    labels: dict[int, str] = field(default_factory=dict)
    clocks: dict[str, SandboxClock] = field(default_factory=dict)

    def __repr__(self) -> str:
        days = (
            f"{len(self.days)} days to come from {min(self.days)}" if self.days else "no day more"
        )
        return f"a copy of {self.table_name}: readers see {self.sight[1]:,} rows; {days}"

    @property
    def table(self) -> Table:
        """The table as the catalog shows it now."""
        return self.catalog.load_table(self.name)

    @property
    def upcoming(self) -> list[date]:
        """The days that were kept back, oldest first."""
        return list(self.days)

    def checks(self, day: date) -> list[Check]:
        """The checks of the team's contract; volume is told the same weekday's real counts."""
        agreed = (self.team.contracts or {}).get(self.table_name)
        past = tuple(
            n for d, n in self.counts.items() if d < day and (day - d).days in range(7, 57, 7)
        )
        return [
            replace(check, past=past) if isinstance(check, VolumeCheck) else check
            for check in (contracts.checks(agreed) if agreed else [])
        ]

    def due(self, day: date) -> datetime:
        """When the rows of `day` were due: the first load of the following day."""
        following = windows.midnight(day + timedelta(days=1), self.team.zone)
        window = windows.Window(following, following + timedelta(days=1))
        found = self.team.expected(self.table_name, window)
        return found[0] if found else following + timedelta(hours=6)

    def clock(self, day: date, run_id: str) -> SandboxClock:
        """A clock that starts when `day` is due; what it saw is kept for `views.story`."""
        self.clocks[run_id] = SandboxClock(self.due(day), lambda: self.sight)
        return self.clocks[run_id]

    @property
    def sight(self) -> tuple[str, int]:
        """Where readers are now, as the label of a snapshot, and how many rows they see."""
        table = self.table
        self.labels |= {s.snapshot_id: f"s{s.sequence_number}" for s in table.metadata.snapshots}
        main = table.current_snapshot()
        if main is None:
            return "nothing", 0
        return self.labels[main.snapshot_id], int(
            metadata.staged_property(main, "total-records") or 0
        )

    @property
    def readers(self) -> list[str]:
        """Who reads the table, and when."""
        found = [one for one in self.team.consumers if one.table == self.table_name]
        return [f"{one.name} at {one.reads_at:%H:%M}" for one in found]

    def tag_of(self, run_id: object) -> str:
        """The tag that the publish of a run made."""
        tag = runs.tag_of(self.table, str(run_id))
        return tag.name if tag else ""

    def run(
        self,
        day: date,
        data: Any = None,
        *,
        run_id: str | None = None,
        checks: Sequence[Any] | None = None,
    ) -> wap.Publication:
        """Write, audit and publish `data` (the real rows if absent) as the run of `day`."""
        run_id = run_id or str(day)
        if data is None and day not in self.days:
            kept = ", ".join(map(str, self.days))
            raise UsageError(f"{day!r} is none of the days that this copy keeps back: {kept}")
        return wap.write_audit_publish(
            self.days[day] if data is None else data,
            self.name,
            self.checks(day) if checks is None else checks,
            catalog=self.catalog,
            run_id=run_id,
            properties={"due_at": self.due(day).isoformat()},
            now=self.clock(day, run_id),
            on_alert=alerts.to_file(self.alert_file),
        )

    @property
    def alert_file(self) -> Path:
        """Where an alert goes out to when an audit blocks: one line of JSON for each."""
        return self.folder / "alerts.jsonl"

    @property
    def alerts(self) -> list[str]:
        """The alerts that went out, oldest first."""
        if not self.alert_file.exists():
            return []
        lines = self.alert_file.read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["text"] for line in lines]

    def rival(self, day: date) -> Callable[[Any], Any]:
        """A check that always passes; while it runs, another publisher publishes `day`."""

        def somebody_else_publishes(_: Any) -> Any:
            if runs.tag_of(self.table, str(day)) is None:
                self.run(day)
            return SimpleNamespace(passed=True, message=f"{day} was published meanwhile")

        return somebody_else_publishes

    def power_cut(self, day: date) -> int:
        """Publish `day` in a process that is killed while it audits; the process's exit code."""
        path = self.folder / "arrived.parquet"
        pq.write_table(self.days[day], path)
        call = (
            "import sys; from dataops_lib.course import sandbox; sandbox.run_and_die(*sys.argv[1:])"
        )
        given = [self.folder, self.name, path, day, self.due(day).isoformat()]
        command = [sys.executable, "-c", call, *map(str, given)]
        # Our own interpreter and our own function; no shell sees the arguments.
        return subprocess.run(command, timeout=120, check=False).returncode  # noqa: S603

    def resume(self, day: date) -> wap.Publication:
        """Finish what the killed run of `day` left: audit what is staged, and publish it."""
        clock = self.clock(day, str(day))
        checks = self.checks(day)
        return wap.resume(
            self.name,
            catalog=self.catalog,
            run_id=str(day),
            quality_checks=checks,
            now=clock,
            on_alert=alerts.to_file(self.alert_file),
        )

    def discard(self, run: wap.Publication | str) -> None:
        """Remove what a run left on a branch; a published run is refused."""
        run_id = run if isinstance(run, str) else run.run_id
        upkeep.discard(self.name, catalog=self.catalog, run_id=run_id)

    def take_back(self) -> upkeep.Rolledback:
        """Take readers back to what they had before the last publish."""
        known = upkeep.list_runs(self.name, catalog=self.catalog)
        tags = sorted((one.published_at, one.ref) for one in known if one.state == "published")
        if len(tags) < 2:
            raise UsageError("there is no earlier publish to go back to")
        return upkeep.rollback(self.name, catalog=self.catalog, to=tags[-2][1])

    def release(self, blocked: wap.Publication, *, reason: str, by: str) -> wap.Publication:
        """Publish a blocked run all the same, on record; a published one is answered as it is."""
        if not isinstance(blocked, wap.Publication):
            raise UsageError("release takes the publication that was blocked, not its run id")
        if blocked:
            return blocked
        clock = replace(self.clocks[blocked.run_id], seen=[])
        self.clocks[blocked.run_id] = clock
        return wap.publish(
            self.name,
            catalog=self.catalog,
            run_id=blocked.run_id,
            reason=reason,
            by=by,
            now=clock,
        )


def subject(observed: Observed, otherwise: Observed, *, eventful: bool = False) -> Observed:
    """`observed` when its team publishes a table with days enough for the acts, else `otherwise`.

    With `eventful` the picture in its team.yaml must name something that really happened, on a day
    that readers see.
    """
    team = observed.team
    if eventful:
        picture = team.picture
        days = _days(observed, picture.table) if picture else {}
        known = picture is not None and any(event.day in days for event in picture.events)
        return observed if known else otherwise
    enough = bool(team.tables) and len(_days(observed, team.tables[0].name)) > ACTS
    return observed if enough else otherwise


def copy(
    observed: Observed, table: str | None = None, *, until: date | None = None, keep: int = ACTS
) -> Sandbox:
    """Copy one published table, as readers saw it, into a temporary folder.

    All but the last `keep` days are published there in one run; these stay in `days`. Nothing that
    is done to the copy touches the team's own warehouse.

    Parameters
    ----------
    table : str, optional
        A published table; default: the first of team.yaml.
    until : date, optional
        The last day to copy; default: the last that was published.
    """
    team = observed.team
    chosen = table or team.tables[0].name
    known = _days(observed, chosen)
    counts = {day: n for day, n in known.items() if until is None or day <= until}
    data = _rows(observed, chosen, list(counts)[-DAYS:])
    folder = Path(tempfile.mkdtemp(prefix="dataops-sandbox-"))
    catalog = _catalog(folder)
    name = f"practice.{chosen}"
    warehouse.create_table(catalog, name, observed.tables[chosen][0].schema())
    kept = dict(list(data.items())[-keep:])
    before = [day for day in data if day not in kept]
    made = Sandbox(team, chosen, name, catalog, kept, counts, folder)
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    if before:
        rows = pa.concat_tables([data[day] for day in before])
        made.run(before[-1], rows, run_id=HISTORY, checks=[])
    return made


def worst_day(scored: pd.DataFrame) -> date:
    """The day of `sli.volume` furthest from its weekday; the last one when none has a score."""
    size = scored["score"].abs()
    number = int(size.fillna(-1).to_numpy().argmax()) if size.notna().any() else len(scored) - 1
    days: list[Any] = scored["day"].tolist()
    return pd.Timestamp(days[number]).date()


def usual(picture: Picture, scored: pd.DataFrame, day: date) -> SqlCheck:
    """A blocking check that the picture's number of `day` lies in the band of its weekday.

    With fewer than four such weekdays before it, the band is that of all days before.
    """
    rule = volume()
    days = [pd.Timestamp(one).date() for one in scored["day"]]
    before = {d: int(n) for d, n in zip(days, scored["rows"], strict=True) if d < day and n > 0}
    alike = [n for d, n in before.items() if (day - d).days in range(7, 7 * rule.weeks + 1, 7)]
    past = alike if len(alike) >= rule.at_least else list(before.values())
    low, high = (round(bound) for bound in verdicts.band(past or [1], rule))
    query = re.sub(rf"\b{re.escape(picture.table)}\b", "this", picture.query)
    sql = f"SELECT {quoted(picture.actual)} FROM ({query}) WHERE CAST(day AS DATE) = {literal(day)}"
    return sql_value(sql, Limit("mustBeBetween", (low, high)), name=f"usual {picture.actual}")


def _days(observed: Observed, table: str) -> dict[date, int]:
    """Rows of each day of a published table; empty when it is not there."""
    counts = series.volume(observed, table)
    if counts is None:
        return {}
    days = [moment.date() for moment in pd.to_datetime(counts["day"])]
    return dict(zip(days, counts["rows"].astype(int).tolist(), strict=True))


def _rows(observed: Observed, table: str, days: Sequence[date]) -> dict[date, pa.Table]:
    iceberg, snapshot_id = observed.tables[table]
    column = f"CAST({quoted(observed.team.table(table).day_column)} AS DATE)"
    query = f"SELECT * FROM published WHERE {column} = ? LIMIT {DAY_ROWS}"
    with duckdb.connect() as connection:
        warehouse.view(connection, "published", iceberg, snapshot_id=snapshot_id)
        return {day: connection.sql(query, params=[day]).to_arrow_table() for day in days}


def _catalog(folder: Path) -> Catalog:
    return warehouse.open(local_catalog(folder), create=True)


def run_and_die(folder: str, name: str, path: str, run_id: str, at: str) -> None:
    """Write the rows of `path` to `name`, and kill this process in the middle of the audit."""

    def power_is_cut(_: Any) -> Any:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    moment = datetime.fromisoformat(at)
    wap.write_audit_publish(
        pq.read_table(path),
        name,
        [power_is_cut],
        catalog=_catalog(Path(folder)),
        run_id=run_id,
        properties={"due_at": at},
        now=lambda: moment,
    )
