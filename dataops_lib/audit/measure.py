"""Measure all checks of an audit in one DuckDB scan of the columns they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
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

from dataops_lib.audit import named_tables, uniqueness
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

VIEWS = {"table": "rows_of_table", "added": "rows_added"}  # scope -> the view that holds its rows
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Audited:
    """A snapshot that is being audited, and the one before its run."""

    table: Table
    snapshot_id: int | None
    base_id: int | None
    as_of: datetime

    @property
    def schema(self) -> Schema:
        """Schema the rows are read in."""
        return scan.schema_of(self.table, self.snapshot_id)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All rows, for checks that are functions."""
        return self.table.scan(snapshot_id=self.snapshot_id).to_pandas()

    def tasks(self, scope: str) -> list[FileScanTask]:
        """Files that hold the rows of a scope."""
        table, head = self.table, self.snapshot_id
        if head is None and (current := table.current_snapshot()):
            head = current.snapshot_id
        if scope == "table" or head is None:
            return scan.plan(table, self.snapshot_id)
        base = self.base_id
        snapshot = table.metadata.snapshot_by_id(head)
        if base is None and snapshot and staged_property(snapshot, "base_id") is None:
            # A run says what it was staged on; an empty text is an empty table, where all is new.
            base = snapshot.parent_snapshot_id
        return [FileScanTask(file) for file in scan.added_files(table, base, head)]

    def past(self, check: VolumeCheck) -> list[int]:
        """Earlier counts of the run's weekday, most recent last."""
        return _same_weekday(self.table, self.snapshot_id, self.as_of, check.weeks)


@dataclass(frozen=True)
class Views:
    """The audited rows as views of a DuckDB, and the files behind each scope."""

    audited: Audited
    con: duckdb.DuckDBPyConnection
    tasks: Mapping[str, Sequence[FileScanTask]]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query, which leaves the connection free for the next."""
        return self.con.execute(sql).fetchall()

    def key(self, check: UniqueCheck) -> Key:
        """The key of a check in the rows of its scope."""
        return Key(self.con, VIEWS[check.scope], check.columns)


def as_column(field: NestedField) -> Column:
    """An Iceberg column in the words of a contract."""
    physical = str(field.field_type)
    return Column(field.name, logical(physical), field.required, physical)


def measure(audited: Audited, checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Measured numbers of each check, in their order; see `verdicts.judge` for the names."""
    refusals = {check: reason for check in checks if (reason := _why_not(audited, check))}
    sound = [check for check in checks if check not in refusals]
    try:
        measured = _measured(audited, sound)
    except scan.Unreadable as error:  # no check may pass on rows that nobody can tell
        measured = {check: {"error": str(error)} for check in sound}
    return [{"error": refusals[c]} if c in refusals else measured[c] for c in checks]


def _measured(audited: Audited, checks: Sequence[Check]) -> dict[Check, dict[str, Any]]:
    with _opened(audited, checks) as views:
        proofs = _proofs(views, checks)
        with ThreadPoolExecutor(1) as pool:  # hashes are sorted while DuckDB scans
            keys = [c for c in checks if isinstance(c, UniqueCheck) and not proofs.get(c)]
            sorting: dict[Check, Future[np.ndarray]] = {
                check: views.key(check).sort(pool) for check in keys
            }
            measured = _fused(views, checks, proofs)
        for check in checks:
            try:
                measured[check] = _complete(views, check, measured[check], sorting.get(check))
            except Exception as error:  # what a check raises is that check's failure, not the run's
                measured[check] = {"error": f"{type(error).__name__}: {error}"}
    return measured


def _why_not(audited: Audited, check: Check) -> str:
    """Why a check cannot be measured at all; an empty text when it can."""
    names = [field.name for field in audited.schema.fields]
    if absent := [col for col in check.columns if col not in names]:
        return f"there is no column {', '.join(absent)}"
    twins = {
        name
        for col in (names if isinstance(check, SqlCheck) else check.columns)
        for name in names
        if name != col and name.lower() == col.lower()
    }
    if twins:  # SQL cannot tell them apart: the answer might come from the other one
        return f"the table has columns that differ only in case: {', '.join(sorted(twins))}"
    if isinstance(check, SqlCheck):
        try:
            named_tables.tables_in(check.sql)
        except ValueError as error:
            return str(error)
    return ""


@contextmanager
def _opened(audited: Audited, checks: Sequence[Check]) -> Iterator[Views]:
    """A view of each scope that the checks need; behind locks where a check brings its own SQL."""
    needed = {name for check in checks for name in check.columns}
    queries = [check for check in checks if isinstance(check, SqlCheck)]
    fields = [f for f in audited.schema.fields if queries or f.name in needed]
    schema = Schema(*(fields or audited.schema.fields[:1]))
    scopes: list[str] = sorted(
        {check.scope for check in checks}
    )  # not planned for what nobody asks
    tasks = {scope: audited.tasks(scope) for scope in scopes}
    sources = {VIEWS[scope]: scan.source(audited.table, tasks[scope], schema) for scope in scopes}
    if not queries:
        with scan.connect() as con:
            for name, source in sources.items():
                source.create(con, name)
            yield Views(audited, con, tasks)
        return
    with closing(scan.locked(sources | named_tables.sources(audited.table, queries))) as con:
        yield Views(audited, con, tasks)


def _proofs(views: Views, checks: Sequence[Check]) -> dict[Check, dict[str, str]]:
    """Aggregates that prove a key unique within the fused query, where there are such."""
    keys = [c for c in checks if isinstance(c, UniqueCheck) and len(c.columns) == 1]
    threads = views.rows("SELECT current_setting('threads')")[0][0] if keys else 1
    return {
        check: uniqueness.bits(
            views.audited.schema.find_field(check.columns[0]), views.tasks[check.scope], threads
        )
        for check in keys
    }


Measured = dict[str, Any]


def _fused(
    views: Views, checks: Sequence[Check], proofs: Mapping[Check, Mapping[str, str]]
) -> dict[Check, Measured]:
    """One query per scope for all aggregates; one per check if that query cannot run."""
    measured: dict[Check, Measured] = {}
    for scope in VIEWS:
        group = [check for check in checks if check.scope == scope]
        if not group:
            continue
        try:
            measured |= _one_query(views, group, proofs)
        except duckdb.Error:
            total = views.rows(f"SELECT count(*) FROM {VIEWS[scope]}")[0][0]
            for check in group:
                try:
                    measured |= _one_query(views, [check], {})
                except duckdb.Error as error:
                    measured[check] = {"rows": total, "error": str(error).splitlines()[0]}
    return measured


def _one_query(
    views: Views, checks: Sequence[Check], proofs: Mapping[Check, Mapping[str, str]]
) -> dict[Check, Measured]:
    parts = [
        (check, key, f"epoch_us({sql})" if key == "newest" else sql)
        for check in checks
        for key, sql in (aggregates(check) | dict(proofs.get(check, {}))).items()
    ]
    select = ", ".join(["count(*)", *(sql for _, _, sql in parts)])
    total, *values = views.rows(f"SELECT {select} FROM {VIEWS[checks[0].scope]}")[0]
    measured: dict[Check, Measured] = {check: {"rows": total} for check in checks}
    for (check, key, _), value in zip(parts, values, strict=True):
        measured[check][key] = value
    return measured


def _complete(
    views: Views, check: Check, aggregated: Measured, sorting: Future[np.ndarray] | None
) -> Measured:
    """Add what a check needs beyond the fused query, and failing rows where there are any."""
    measured = dict(aggregated)
    if "error" in measured:
        return measured
    audited, view = views.audited, VIEWS[check.scope]
    if isinstance(check, RowCheck) and measured["failed"]:
        measured["sample"] = _sample(views, f"SELECT * FROM {view} WHERE {check.failing}")
    elif isinstance(check, FreshCheck):
        measured |= {"newest": _newest(audited, check, measured), "as_of": audited.as_of}
    elif isinstance(check, UniqueCheck):
        measured |= _repeated(views, check, measured, sorting)
    elif isinstance(check, ForeignKeyCheck):
        measured |= _orphans(views, check)
    elif isinstance(check, SqlCheck):
        measured |= _query(views, check)
    elif isinstance(check, ColumnsCheck):
        measured["fields"] = [as_column(field) for field in audited.schema.fields]
    elif isinstance(check, VolumeCheck) and check.past is None:
        measured["past"] = audited.past(check)
    elif isinstance(check, FunctionCheck):
        result = check.function(audited.frame.copy(deep=False))  # copied when it is changed
        measured |= {"passed": bool(result.passed), "message": str(result.message)}
    return measured


def _newest(audited: Audited, check: FreshCheck, measured: Measured) -> datetime | date | None:
    """The newest value: a day of a date column, else a time; without a zone where it has none."""
    microseconds = measured["newest"]
    if microseconds is None:
        return None
    newest = _EPOCH + timedelta(microseconds=microseconds)
    kind = str(audited.schema.find_field(check.columns[0]).field_type)
    if kind == "date":
        return newest.date()
    return newest if kind.startswith("timestamptz") else newest.replace(tzinfo=None)


def _repeated(
    views: Views, check: UniqueCheck, measured: Measured, sorting: Future[np.ndarray] | None
) -> Measured:
    """Rows that share a key; none when a proof says so."""
    none = {"failed": 0, "keys": 0, "surplus": 0}
    if "values" in measured and measured["values"] == measured["different"]:
        return none
    key = views.key(check)
    twice = sorting.result() if sorting else key.twice()
    if not twice.size:
        return none
    numbers, groups = key.shared(twice)
    return numbers | {"sample": _sample(views, groups) if numbers["keys"] else []}


def _orphans(views: Views, check: ForeignKeyCheck) -> Measured:
    other = views.audited.table.catalog.load_table(check.table)
    field = other.schema().find_field(check.key)
    keys = scan.source(other, scan.plan(other), Schema(field))
    col, key = quoted(check.columns[0]), quoted(check.key)
    orphans = f"""SELECT t.* FROM {VIEWS[check.scope]} t WHERE t.{col} IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM referenced r WHERE r.{key} = t.{col})"""
    keys.create(views.con, "referenced")
    failed = views.rows(f"SELECT count(*) FROM ({orphans})")[0][0]
    return {"failed": failed} | ({"sample": _sample(views, orphans)} if failed else {})


def _query(views: Views, check: SqlCheck) -> Measured:
    for name in named_tables.own_names(views.audited.table, check):
        scan.Source(f"FROM {VIEWS[check.scope]}", "view", "").name(views.con, name)
    body = check.sql.strip().rstrip(";")
    if check.value:
        result = views.rows(body)
        if len(result) != 1 or len(result[0]) != 1:
            raise ValueError(f"the query must return one number, not {len(result)} rows")
        value = result[0][0]
        if value is not None and not isinstance(value, int | float | Decimal):
            raise ValueError(f"the query must return one number, not {value!r:.40}")
        return {"value": value}
    failed = views.rows(f"SELECT count(*) FROM ({body})")[0][0]
    return {"failed": failed} | ({"sample": _sample(views, body)} if failed else {})


def _sample(views: Views, sql: str) -> list[dict[str, Any]]:
    """Up to 20 rows as plain values; through Arrow, because DuckDB wants pytz for times."""
    result = views.con.sql(f"SELECT * FROM ({sql}) LIMIT {literal(SAMPLE_ROWS)}")
    rows: list[dict[str, Any]] = result.to_arrow_table().to_pylist()
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


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
    every = [as_check(check) for check in checks]
    audited = Audited(table, snapshot_id, base_id, as_of or datetime.now(UTC))
    return [
        judge(check, numbers) for check, numbers in zip(every, measure(audited, every), strict=True)
    ]


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
