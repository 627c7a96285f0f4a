"""One simulated pipeline: files land, models run, results are published or blocked.

Landings, run times and faults are simulated; the models, the audits and the Iceberg commits are
real. The audit never sees the list of faults.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
from pyiceberg.catalog import Catalog

from dataops_lib import wap, warehouse, windows
from dataops_lib.contracts import contract
from dataops_lib.sql import quoted
from dataops_lib.teams import lineage
from dataops_lib.teams.models import Fault, TeamFile

NAMESPACE = "marts"


@dataclass
class Clock:
    """The simulated time; it moves only when told to."""

    at: datetime

    def __call__(self) -> datetime:
        """The time now, as `datetime.now(UTC)` would say it."""
        return self.at


@dataclass(frozen=True, order=True)
class Attempt:
    """One start of a pipeline: when, for which due time, and why."""

    at: datetime
    due_at: datetime
    pipeline: str
    trigger: str  # "scheduled" or "rerun"


@dataclass
class Stage:
    """A team's pipelines on a simulated clock, and what they have done so far."""

    file: TeamFile
    folder: Path
    build: Path
    data: Path
    faults: tuple[Fault, ...]
    contracts: Mapping[str, contract.Contract]
    catalog: Catalog
    connection: duckdb.DuckDBPyConnection
    clock: Clock
    runs: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    landings: list[dict[str, Any]] = field(default_factory=list)
    blocked: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def models(self) -> dict[str, Path]:
        """Model -> its SELECT."""
        return lineage.models(self.folder / "pipelines")

    @cached_property
    def inputs(self) -> dict[str, tuple[str, ...]]:
        """Model -> what it is built from."""
        return lineage.read(self.folder / "pipelines")

    @cached_property
    def order(self) -> list[str]:
        """Models in the order in which they are built."""
        return lineage.order(self.inputs)

    @cached_property
    def sources(self) -> dict[str, str]:
        """Source -> the SELECT that says what it hands over for a day."""
        paths = sorted((self.folder / "sources").glob("*.sql"))
        return {path.stem: path.read_text(encoding="utf-8") for path in paths}

    @cached_property
    def marts(self) -> set[str]:
        """Models that are published as Iceberg tables; all others are views."""
        return {table.name for table in self.file.tables}

    # -- setting up

    def prepare(self, first_day: date) -> None:
        """Create the schemas, and each mart empty, with the types of a healthy first day."""
        run = self.connection.execute
        for name in (*self.sources, *self.models):
            if "." in name:
                run(f"CREATE SCHEMA IF NOT EXISTS {quoted(name.split('.')[0])}")
        run("SET VARIABLE data = ?", [self.data.as_posix()])
        run("SET VARIABLE day = ?", [first_day])
        for source, select in self.sources.items():
            run(f"CREATE OR REPLACE VIEW {_name(source)} AS {select}")
        for model in self.order:
            kind = "TEMP TABLE" if model in self.marts else "VIEW"
            run(f"CREATE OR REPLACE {kind} {_name(model)} AS {self._select(model)}")
        for model in self.order:
            if model in self.marts:
                schema = self._arrow(f"SELECT * FROM {_name(model)} LIMIT 0").schema
                warehouse.create_table(self.catalog, f"{NAMESPACE}.{model}", schema)
                run(f"DROP TABLE {_name(model)}")

    # -- what is due, and what is planted

    def attempts(self, until: date) -> list[Attempt]:
        """All starts before 00:00 of `until`, in the order in which they happen."""
        found: set[Attempt] = set()
        end = windows.midnight(until, self.file.zone)
        for pipeline in self.file.pipelines:
            zone = pipeline.zone or self.file.zone
            start = min(windows.midnight(pipeline.first_due, zone), end)
            for due in windows.due_times(pipeline.schedule, zone, windows.Window(start, end)):
                faults = self.faults_of(pipeline.name, due)
                if not any(fault.kind == "missed_run" for fault in faults):
                    found.add(Attempt(due, due, pipeline.name, "scheduled"))
                for fault in faults:
                    again = self._repaired_at(fault)
                    if again is not None and again < end:
                        found.add(Attempt(again, due, pipeline.name, "rerun"))
        return sorted(found)

    def faults_of(self, pipeline: str, due: datetime) -> list[Fault]:
        """Planted faults that touch the run of `pipeline` due at `due`."""
        day = due.astimezone(ZoneInfo(self.file.zone)).date()
        return [
            fault
            for fault in self.faults
            if fault.due == day and (fault.pipeline == pipeline or self._feeds(fault, pipeline))
        ]

    def _feeds(self, fault: Fault, pipeline: str) -> bool:
        return any(self.models[model].parent.name == pipeline for model in self._below(fault))

    def _below(self, fault: Fault) -> Iterable[str]:
        """Models that a fault can spoil."""
        if fault.source is None:
            return [m for m, path in self.models.items() if path.parent.name == fault.pipeline]
        return lineage.downstream(self.inputs, fault.source)

    def _repaired_at(self, fault: Fault) -> datetime | None:
        if fault.repaired_at is None:
            return None
        local = fault.repaired_at
        aware = local if local.tzinfo else local.replace(tzinfo=ZoneInfo(self.file.zone))
        return aware.astimezone(UTC)

    # -- a day

    def run(self, attempt: Attempt) -> None:
        """Land the files as they are at this time, then build and publish each mart in order."""
        self.clock.at = attempt.at
        local = attempt.due_at.astimezone(ZoneInfo(self.file.zone))
        self.connection.execute("SET VARIABLE day = ?", [local.date() - timedelta(days=1)])
        faults = self.faults_of(attempt.pipeline, attempt.due_at)
        for source in self.sources:
            self._land(source, attempt, [fault for fault in faults if fault.source == source])
        spoiled: set[str] = set()
        for model in self.order:
            if self.models[model].parent.name != attempt.pipeline:
                continue
            if model not in self.marts:
                self._view(model)
            elif not self._is_published(model, attempt):
                row = self._load(model, attempt, faults, skip=model in spoiled)
                self.runs.append(row)
                if row["status"] != "published":
                    spoiled |= set(lineage.downstream(self.inputs, model))

    def _is_published(self, model: str, attempt: Attempt) -> bool:
        return any(
            row["table"] == model and row["due_at"] == attempt.due_at and row["published_at"]
            for row in self.runs
        )

    def _land(self, source: str, attempt: Attempt, faults: list[Fault]) -> None:
        """Put the day's files where the pipeline reads them, as they are at this time."""
        open_faults = [
            fault
            for fault in faults
            if (repaired := self._repaired_at(fault)) is None or attempt.at < repaired
        ]
        fault = open_faults[0] if open_faults else None
        folder = self.build / "landing" / source
        folder.mkdir(parents=True, exist_ok=True)
        day = (attempt.due_at.astimezone(ZoneInfo(self.file.zone)) - timedelta(days=1)).date()
        select = self.sources[source]
        names = [f"{day}.parquet"]
        if fault and fault.kind in ("late_file", "source_outage"):
            names = []
        elif fault and fault.kind == "empty_file":
            select = f"SELECT * FROM ({select}) LIMIT 0"
        elif fault and fault.kind == "type_change":
            column = quoted(str(fault.column))
            changed = f"CAST({column} AS {fault.to}) AS {column}"
            select = f"SELECT * REPLACE ({changed}) FROM ({select})"
        elif fault and fault.kind == "duplicated_file":
            names.append(f"{day}-again.parquet")
        for stale in folder.glob(f"{day}*.parquet"):
            stale.unlink()
        for name in names:
            path = (folder / name).as_posix().replace("'", "''")
            self.connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
        self._read_landed(source, [folder / name for name in names])
        self.landings.append(
            {
                "source": source,
                "day": day,
                "seen_at": attempt.at,
                "files": len(names),
                "planted": fault.text if fault else None,
            }
        )

    def _read_landed(self, source: str, paths: list[Path]) -> None:
        files = ", ".join("'" + path.as_posix().replace("'", "''") + "'" for path in paths)
        select = f"SELECT * FROM read_parquet([{files}])"
        if not paths:  # nothing landed: the source is empty, and the audit has to notice
            select = f"SELECT * FROM ({self.sources[source]}) LIMIT 0"
        self.connection.execute(f"CREATE OR REPLACE VIEW {_name(source)} AS {select}")

    def _view(self, model: str) -> None:
        self.connection.execute(f"CREATE OR REPLACE VIEW {_name(model)} AS {self._select(model)}")

    def _load(
        self, model: str, attempt: Attempt, faults: list[Fault], *, skip: bool
    ) -> dict[str, Any]:
        """Build one mart and publish it through write-audit-publish; one row of run history."""
        planted = [fault.text for fault in faults if model in self._below(fault)]
        number = 1 + sum(
            row["table"] == model and row["due_at"] == attempt.due_at for row in self.runs
        )
        row: dict[str, Any] = {
            "run_id": f"{attempt.pipeline}-{attempt.due_at:%Y%m%dT%H%MZ}-{number}",
            "pipeline": attempt.pipeline,
            "table": model,
            "due_at": attempt.due_at,
            "started_at": self.clock.at,
            "finished_at": None,
            "published_at": None,
            "status": "skipped",
            "rows": None,
            "trigger": attempt.trigger,
            "planted": "; ".join(planted) or None,
        }
        if skip:
            return row | {"finished_at": self.clock.at}
        try:
            data = self._arrow(self._select(model))
        except duckdb.Error as error:
            self._alert(row, "FAILED", str(error).splitlines()[0])
            return row | {"status": "failed", "finished_at": self.clock.at}
        self.clock.at += _runtime(model, attempt.due_at)
        publication = self._publish(model, data, row)
        row |= {"finished_at": self.clock.at, "rows": data.num_rows}
        if publication:
            if any(model in inputs for inputs in self.inputs.values()):
                table = self.catalog.load_table(f"{NAMESPACE}.{model}")
                warehouse.view(self.connection, model, table)
            return row | {"status": "published", "published_at": self.clock.at}
        findings = [finding.as_dict() for finding in publication.blocked_by]
        key = {name: row[name] for name in ("run_id", "pipeline", "table", "due_at", "planted")}
        self.blocked.append(key | {"findings": findings})
        return row | {"status": "blocked"}

    def _publish(self, model: str, data: pa.Table, row: dict[str, Any]) -> wap.Publication:
        agreed = self.contracts.get(model)
        checks = contract.checks(agreed) if agreed else []

        def page(blocked: wap.Publication) -> None:
            bad = (f"{finding.subject}: {finding.evidence}" for finding in blocked.blocked_by)
            self._alert(row, "AUDIT BLOCKED", "; ".join(bad))

        return wap.write_audit_publish(
            data,
            f"{NAMESPACE}.{model}",
            checks,
            catalog=self.catalog,
            run_id=row["run_id"],
            properties={"due_at": row["due_at"].isoformat()},
            now=self.clock,
            on_alert=page,
        )

    def _alert(self, row: dict[str, Any], what: str, message: str) -> None:
        self.alerts.append(
            {
                "alerted_at": self.clock.at,
                "name": f"{row['table']} {what}",
                "table": row["table"],
                "due_at": row["due_at"],
                "message": message,
                "planted": row["planted"],
            }
        )

    def _select(self, model: str) -> str:
        return self.models[model].read_text(encoding="utf-8").rstrip().rstrip(";")

    def _arrow(self, select: str) -> pa.Table:
        return self.connection.sql(select).to_arrow_table()


def _name(name: str) -> str:
    """A model or source name as SQL: schema and table quoted apart."""
    return ".".join(quoted(part) for part in name.split("."))


def _runtime(table: str, due_at: datetime) -> timedelta:
    """A simulated run time of 2 to 6 minutes, always the same for one table and due time."""
    digest = hashlib.sha256(f"{table} {due_at.isoformat()}".encode()).digest()
    return timedelta(seconds=120 + digest[0])
