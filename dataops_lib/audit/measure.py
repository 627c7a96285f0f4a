"""Measure all checks of an audit in one DuckDB scan of the columns they need."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import NestedField

from dataops_lib.audit import uniqueness
from dataops_lib.audit.checks import (
    SAMPLE_ROWS,
    Check,
    Column,
    ColumnsCheck,
    ForeignKeyCheck,
    FreshCheck,
    FunctionCheck,
    RowCheck,
    SqlCheck,
    UniqueCheck,
    VolumeCheck,
    aggregates,
    as_check,
)
from dataops_lib.audit.uniqueness import Key
from dataops_lib.audit.verdicts import judge
from dataops_lib.finding import Finding
from dataops_lib.sql import literal, quoted
from dataops_lib.warehouse import scan
from dataops_lib.warehouse.metadata import _landings, moment, staged_property
from dataops_lib.warehouse.types import logical

VIEWS = {"table": "this", "added": "added"}  # scope -> the view that holds its rows
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Audited:
    """What is being audited; `past` gives earlier counts of the run's weekday, most recent last."""

    table: Table
    snapshot_id: int | None
    base_id: int | None
    as_of: datetime
    past: Callable[[VolumeCheck], list[int]]
    con: duckdb.DuckDBPyConnection

    @property
    def schema(self) -> Schema:
        """Schema the rows are read in."""
        return scan.schema_of(self.table, self.snapshot_id)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All rows, for checks that are functions."""
        return self.table.scan(snapshot_id=self.snapshot_id).to_pandas()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query, which leaves the connection free for the next."""
        return self.con.execute(sql).fetchall()


def as_column(field: NestedField) -> Column:
    """An Iceberg column in the words of a contract."""
    physical = str(field.field_type)
    return Column(field.name, logical(physical), field.required, physical)


def measure(audited: Audited, checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Measured numbers of each check, in their order; see `verdict.judge` for the names."""
    names = {field.name for field in audited.schema.fields}
    absent = {c: [col for col in c.columns if col not in names] for c in checks}
    sound = [check for check in checks if not absent[check]]
    tasks = _open_views(audited, sound)
    proofs = _proofs(audited, sound, tasks)
    with ThreadPoolExecutor(1) as pool:  # hashes are sorted while DuckDB scans
        keys = [c for c in sound if isinstance(c, UniqueCheck) and not proofs.get(c)]
        sorting: dict[Check, Future[np.ndarray]] = {
            check: _key(audited, check).sort(pool) for check in keys
        }
        found = _fused(audited, sound, proofs)
    results = []
    for check in checks:
        if absent[check]:
            results.append({"error": f"there is no column {', '.join(absent[check])}"})
            continue
        try:
            results.append(_complete(audited, check, found[check], sorting.get(check)))
        except Exception as error:  # whatever a check raises is that check's failure, not the run's
            results.append({"error": f"{type(error).__name__}: {error}"})
    return results


Tasks = Mapping[str, Sequence[FileScanTask]]


def _open_views(audited: Audited, checks: Sequence[Check]) -> Tasks:
    """Make a view of each scope that the checks need; the files of each."""
    needed = {name for check in checks for name in check.columns}
    everything = any(isinstance(check, SqlCheck) for check in checks)
    fields = [f for f in audited.schema.fields if everything or f.name in needed]
    schema = Schema(*(fields or audited.schema.fields[:1]))
    scopes = {check.scope for check in checks}  # the table is not planned for added rows alone
    wanted = sorted(scopes | ({"table"} if everything else set()))
    tasks = {scope: _tasks(audited, scope) for scope in wanted}
    for scope in wanted:
        scan.source(audited.table, tasks[scope], schema).create(audited.con, VIEWS[scope])
    if everything:
        _name_tables(audited, [c.sql for c in checks if isinstance(c, SqlCheck)])
    return tasks


def _proofs(audited: Audited, checks: Sequence[Check], tasks: Tasks) -> dict[Check, dict[str, str]]:
    """Aggregates that prove a key unique within the fused query, where there are such."""
    keys = [c for c in checks if isinstance(c, UniqueCheck) and len(c.columns) == 1]
    threads = audited.rows("SELECT current_setting('threads')")[0][0] if keys else 1
    return {
        check: uniqueness.bits(
            audited.schema.find_field(check.columns[0]), tasks[check.scope], threads
        )
        for check in keys
    }


def _tasks(audited: Audited, scope: str) -> list[FileScanTask]:
    table, head = audited.table, audited.snapshot_id
    if head is None and (current := table.current_snapshot()):
        head = current.snapshot_id
    if scope == "table" or head is None:
        return scan.plan(table, audited.snapshot_id)
    base = audited.base_id
    snapshot = table.metadata.snapshot_by_id(head)
    if base is None and snapshot and staged_property(snapshot, "base_id") is None:
        # A run says what it was staged on; an empty text is an empty table, where all is new.
        base = snapshot.parent_snapshot_id
    return [FileScanTask(file) for file in scan.added_files(table, base, head)]


def _name_tables(audited: Audited, queries: Iterable[str]) -> None:
    """Make the tables that the queries name known under their full names, as published."""
    text = " ".join(queries)
    own = ".".join(audited.table.name())
    names = {f"{a}.{b}" for a, b in re.findall(r'"?(\w+)"?\."?(\w+)"?', text)}
    catalog = audited.table.catalog
    for name in sorted(names):
        if name != own and not catalog.table_exists(name):
            continue  # an alias with a column, or DuckDB will name what is missing
        _create(audited, name, own)


def _create(audited: Audited, name: str, own: str) -> None:
    space, _, short = name.rpartition(".")
    audited.con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(space)}")
    target = f"{quoted(space)}.{quoted(short)}"
    if name == own:
        audited.con.execute(f"CREATE OR REPLACE VIEW {target} AS SELECT * FROM this")
        return
    other = audited.table.catalog.load_table(name)
    source = scan.source(other, scan.plan(other), other.schema())
    source.create(audited.con, target, temporary=False)


def _fused(
    audited: Audited, checks: Sequence[Check], proofs: Mapping[Check, Mapping[str, str]]
) -> dict[Check, dict[str, Any]]:
    """One query per scope for all aggregates; one per check if that query cannot run."""
    found: dict[Check, dict[str, Any]] = {}
    for scope, name in VIEWS.items():
        group = [check for check in checks if check.scope == scope]
        if not group:
            continue
        try:
            found |= _one_query(audited, group, name, proofs)
        except duckdb.Error:
            total = audited.rows(f"SELECT count(*) FROM {name}")[0][0]
            for check in group:
                try:
                    found |= _one_query(audited, [check], name, {})
                except duckdb.Error as error:
                    found[check] = {"rows": total, "error": str(error).splitlines()[0]}
    return found


def _one_query(
    audited: Audited,
    checks: Sequence[Check],
    name: str,
    proofs: Mapping[Check, Mapping[str, str]],
) -> dict[Check, dict[str, Any]]:
    wanted = [
        (check, key, f"epoch_us({sql})" if key == "newest" else sql)
        for check in checks
        for key, sql in (aggregates(check) | dict(proofs.get(check, {}))).items()
    ]
    select = ", ".join(["count(*)", *(sql for _, _, sql in wanted)])
    total, *values = audited.rows(f"SELECT {select} FROM {name}")[0]
    found: dict[Check, dict[str, Any]] = {check: {"rows": total} for check in checks}
    for (check, key, _), value in zip(wanted, values, strict=True):
        found[check][key] = value
    return found


def _complete(
    audited: Audited, check: Check, found: Mapping[str, Any], sorting: Future[np.ndarray] | None
) -> dict[str, Any]:
    """Add what a check needs beyond the fused query, and failing rows where there are any."""
    measured = dict(found)
    if "error" in measured:
        return measured
    name = VIEWS[check.scope]
    if isinstance(check, RowCheck) and measured["failed"]:
        measured["sample"] = _sample(audited, f"SELECT * FROM {name} WHERE {check.failing}")
    elif isinstance(check, FreshCheck):
        newest = measured["newest"]
        measured["newest"] = None if newest is None else _EPOCH + timedelta(microseconds=newest)
        measured["as_of"] = audited.as_of
    elif isinstance(check, UniqueCheck):
        measured |= _repeated(audited, check, measured, sorting)
    elif isinstance(check, ForeignKeyCheck):
        measured |= _orphans(audited, check, name)
    elif isinstance(check, SqlCheck):
        measured |= _query(audited, check)
    elif isinstance(check, ColumnsCheck):
        measured["fields"] = [as_column(field) for field in audited.schema.fields]
    elif isinstance(check, VolumeCheck) and check.past is None:
        measured["past"] = audited.past(check)
    elif isinstance(check, FunctionCheck):
        result = check.function(audited.frame.copy(deep=False))  # copied when it is changed
        measured |= {"passed": bool(result.passed), "message": str(result.message)}
    return measured


def _repeated(
    audited: Audited,
    check: UniqueCheck,
    found: Mapping[str, Any],
    sorting: Future[np.ndarray] | None,
) -> dict[str, Any]:
    """Rows that share a key; none when a proof says so."""
    none = {"failed": 0, "keys": 0, "surplus": 0}
    if "values" in found and found["values"] == found["different"]:
        return none
    key = _key(audited, check)
    twice = sorting.result() if sorting else key.twice()
    if not twice.size:
        return none
    numbers, groups = key.shared(twice)
    return numbers | {"sample": _sample(audited, groups) if numbers["keys"] else []}


def _key(audited: Audited, check: UniqueCheck) -> Key:
    return Key(audited.con, VIEWS[check.scope], check.columns)


def _orphans(audited: Audited, check: ForeignKeyCheck, name: str) -> dict[str, Any]:
    other = audited.table.catalog.load_table(check.table)
    field = other.schema().find_field(check.key)
    source = scan.source(other, scan.plan(other), Schema(field))
    source.create(audited.con, "referenced")
    col = quoted(check.columns[0])
    orphans = f"""SELECT t.* FROM {name} t WHERE t.{col} IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM referenced r WHERE r.{quoted(check.key)} = t.{col})"""
    failed = audited.rows(f"SELECT count(*) FROM ({orphans})")[0][0]
    return {"failed": failed} | ({"sample": _sample(audited, orphans)} if failed else {})


def _query(audited: Audited, check: SqlCheck) -> dict[str, Any]:
    statements = audited.con.extract_statements(check.sql)
    if len(statements) != 1 or statements[0].type.name != "SELECT":
        raise ValueError("a check is one SELECT")
    body = check.sql.strip().rstrip(";")
    if check.value:
        found = audited.rows(body)
        if len(found) != 1 or len(found[0]) != 1:
            raise ValueError(f"the query must return one number, not {len(found)} rows")
        return {"value": found[0][0]}
    failed = audited.rows(f"SELECT count(*) FROM ({body})")[0][0]
    return {"failed": failed} | ({"sample": _sample(audited, body)} if failed else {})


def _sample(audited: Audited, sql: str) -> list[dict[str, Any]]:
    """Up to 20 rows as plain values; through Arrow, because DuckDB wants pytz for times."""
    result = audited.con.sql(f"SELECT * FROM ({sql}) LIMIT {literal(SAMPLE_ROWS)}")
    found: list[dict[str, Any]] = result.to_arrow_table().to_pylist()
    return [{key: _plain(value) for key, value in row.items()} for row in found]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | bytes) else value


def run(
    table: Table,
    checks: Sequence[Check | Callable[[Any], Any]],
    *,
    snapshot_id: int | None = None,
    base_id: int | None = None,
    as_of: datetime | None = None,
) -> list[Finding]:
    """Judge a snapshot (main without an id) by all `checks` in one scan of the columns they need.

    `base_id` is the snapshot before the run, for checks with `scope="added"`; without it, the
    parent of the audited snapshot. `as_of` is the time that freshness is judged at, now if absent.
    A check that raises is a failed check with the message. Findings come in the order of `checks`.
    """
    known = [as_check(check) for check in checks]
    now = as_of or datetime.now(UTC)

    def past(check: VolumeCheck) -> list[int]:
        return _same_weekday(table, snapshot_id, now, check.weeks)

    with scan.connect() as con:
        audited = Audited(table, snapshot_id, base_id, now, past, con)
        results = measure(audited, known)
    return [judge(check, measured) for check, measured in zip(known, results, strict=True)]


def _same_weekday(table: Table, snapshot_id: int | None, as_of: datetime, weeks: int) -> list[int]:
    """Rows added by the publishes that were due on the audited run's weekday, before it."""
    snapshot = table.metadata.snapshot_by_id(snapshot_id) if snapshot_id else None
    run_at = moment(staged_property(snapshot, "due_at")) or as_of
    earliest = run_at - timedelta(weeks=weeks, hours=12)
    counts: list[tuple[datetime, int]] = []
    for landing in _landings(table):
        at = landing["due_at"] or landing["published_at"]
        counted = landing["rows_added"] is not None and earliest <= at < run_at
        if counted and at.weekday() == run_at.weekday():
            counts.append((at, landing["rows_added"]))
    return [count for _, count in sorted(counts)]
